in vec3 p;
uniform mat4 m;
out float z;
void main() {
  gl_Position = m * vec4(p, 1);
  z = gl_Position.z;
}
