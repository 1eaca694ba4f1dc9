in vec3 N, T, W;
in vec4 P;  // angle, height, distance inside the edge, band
out vec4 colour;
uniform vec3 cloth, light, key, fill, rim;
uniform float distance_, cover;
void main() {
  vec3 n = normalize(N), v = normalize(vec3(0, 0, distance_) - W);
  if (dot(n, v) < 0.) n = -n;
  float alpha = smoothstep(-.012, .012, P.z) * cover;
  if (alpha < .02) discard;
  float rib = .5 + .5 * cos(abs(P.x) * 44.);
  float nv = max(dot(n, v), 0.);
  float nl = clamp((dot(n, light) + .25) / 1.25, 0., 1.);
  vec3 albedo = cloth * (.84 + .16 * rib) * (1. - .30 * exp(-(P.z - .27) * (P.z - .27) / .0009));
  vec3 c = albedo * (fill * (.75 + .25 * n.y) + key * nl) + rim * (1. - nv) * (1. - nv) * (1. - nv) * albedo;
  colour = vec4(display(c), alpha);
}
