in vec3 N, T, W;
in vec4 P;
out vec4 colour;
uniform vec3 tone, light, key, fill;
uniform float distance_, cover;
void main() {
  vec3 n = normalize(N), v = normalize(vec3(0, 0, distance_) - W);
  vec3 h = normalize(light + v);
  vec3 c = tone * (fill + key * max(dot(n, light), 0.)) + .10 * key * pow(max(dot(n, h), 0.), 20.);
  if (cover < .01) discard;
  colour = vec4(display(c), cover);
}
