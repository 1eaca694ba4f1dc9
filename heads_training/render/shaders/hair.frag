in vec3 N, T, W;
in vec4 P;  // strand, distance down, distance inside the edge, shade
out vec4 colour;
uniform vec3 hair, light, key, fill, rim;
uniform float distance_, inside, cover, thin;

void main() {
  vec3 n = normalize(N), v = normalize(vec3(0, 0, distance_) - W), t = normalize(T);
  if (dot(n, v) < 0.) n = -n;
  vec3 h = normalize(light + v);
  float u = abs(P.x) + .02 * sin(4. * P.y);
  float coarse = noise(u * 9. + .3 * P.y), strand = .55 * coarse + .45 * noise(u * 27. + 40.);
  float ends = smoothstep(.25, .6, P.y);
  float edge = P.z + .055 * (coarse - .5) + .09 * ends * (strand - .55);
  float nv = max(dot(n, v), 0.);
  float alpha = smoothstep(-.02, thin, edge) * cover * mix(smoothstep(.0, .07, nv), 1., inside);
  if (alpha < .02) discard;
  float th = dot(t, h), tl = dot(t, light);
  float wide = fourth(max(1. - th * th, 0.)), band = wide * wide * wide;
  float diffuse = clamp((dot(n, light) + .35) / 1.35, 0., 1.) * mix(.75, 1., sqrt(max(1. - tl * tl, 0.)));
  vec3 albedo = hair * (.64 + .56 * strand) * P.w;
  vec3 c = albedo * (fill * (.72 + .28 * n.y) + key * diffuse);
  float front = clamp(dot(n, light) + .25, 0., 1.);
  c += key * front * (mix(vec3(.022), hair, .8) * (.36 * band + .12 * wide) * (.5 + strand));
  float edge_on = 1. - nv;
  c += rim * edge_on * edge_on * edge_on * (hair + .012) * .7;
  colour = vec4(display(c * mix(1., .42, inside)), alpha);
}
