in vec3 position, normal, rest;
in vec4 mask;   // lips, inside of the mouth, eyelids, beard zone
in vec2 kind;   // part, ambient occlusion
out vec3 N, R, W;
out vec4 M;
out float open;
flat out int part;
void main() {
  N = normal; R = rest; W = position; M = mask; part = int(kind.x + .5); open = kind.y;
  gl_Position = project(position);
}
