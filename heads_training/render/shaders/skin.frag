in vec3 N, R, W;
in vec4 M;
in float open;
out vec4 colour;
uniform vec3 skin, lip, hair, cloth, light, key, fill, rim;
uniform vec4 style;   // hairline, strength of the scalp's tint, fringe, neckline
uniform vec4 face;    // beard, brows, ruddy, lipstick
uniform float distance_;

float neckline(vec3 r) {
  float front = smoothstep(.2, .8, r.z);
  float x = sqrt(r.x * r.x + .01);
  return 5.86 - .42 * (r.z - .1) - front * style.w * .42 / (1. + 9. * x * x) + .8 * smoothstep(.62, 1.15, x) - r.y;
}

void main() {
  vec3 n = normalize(N), v = normalize(vec3(0, 0, distance_) - W), h = normalize(light + v);
  float ax = abs(R.x), ao = open;
  vec3 albedo = mix(skin, skin * vec3(1.02, .74, .72), clamp(M.w * face.z, 0., 1.));
  // beard
  float zone = smoothstep(7.0, 6.60, R.y - .42 * max(ax - .25, 0.)) * smoothstep(6.05, 6.36, R.y + .25 * R.z - .3)
    * smoothstep(.20, .60, R.z);
  zone *= mix(1., smoothstep(6.98, 6.86, R.y), smoothstep(.42, .30, ax)) * (1. - smoothstep(.35, .75, M.x));
  float dense = smoothstep(.15, 1., face.x);
  vec3 whisker = mix(skin * vec3(.52, .46, .44), hair * .75, .15 + .75 * dense);
  albedo = mix(albedo, whisker, zone * (.42 * smoothstep(0., .25, face.x) + .46 * dense));
  // lips
  albedo = mix(albedo, lip * (1. - .22 * dense), (.76 + .12 * face.w) * smoothstep(.15, .75, M.x) * (1. - M.y));
  albedo = mix(albedo, vec3(.30, .09, .08), M.y);
  albedo = mix(albedo, albedo * vec3(.80, .68, .66), .55 * M.z);
  // brows
  float t = clamp((ax - .11) / .46, 0., 1.), heavy = face.y;
  float middle = 7.468 + t * (.17 - .19 * t);
  float width = mix(.042, .085, heavy) * (1. - .62 * t * t) * smoothstep(-.12, .22, t);
  float off = (R.y - middle) / width;
  float bump = max(1. - .62 * off * off, 0.);
  float brow = bump * bump * smoothstep(.75, .95, R.z) * smoothstep(.07, .16, ax) * smoothstep(.61, .50, ax);
  float strand = .5 + .5 * sin(ax * 95. - R.y * 60.);
  albedo = mix(albedo, mix(hair * .55, skin * .14, .40) * vec3(1.1, .92, .78), clamp(brow * (.55 + .42 * heavy) * (.95 + .10 * strand), 0., .95));
  // scalp under the hair, and the shadow the hair casts
  float line = (R.y - 7.90) - .80 * (R.z - 1.30) - style.x;
  albedo = mix(albedo, hair * .8, style.y * .9 * smoothstep(-.04, .12, line));
  ao *= 1. - .24 * style.y * smoothstep(-.22, .02, line + .36 * style.z * smoothstep(.7, 1.1, R.z) * smoothstep(.75, .45, ax));
  // clothes
  float cover = neckline(R), dressed = smoothstep(-.012, .012, cover), bare = 1. - dressed;
  ao *= 1. - .25 * bare * smoothstep(-.10, 0., cover);
  float seam = (cover - .085) / .022;
  albedo = mix(albedo, cloth * (1. - .22 / (1. + seam * seam * seam * seam)), dressed);
  // light
  float shine = bare * .055 * (1. - .8 * M.y) * (1. - .7 * zone * dense) + .08 * smoothstep(.4, .9, M.x);
  float wrap = mix(.22, .34, bare);
  float nl = clamp((dot(n, light) + wrap) / (1. + wrap), 0., 1.), nv = max(dot(n, v), 0.);
  vec3 diffuse = nl * (1. + bare * vec3(.30, -.06, -.16) * (1. - nl));
  float gleam = fourth(fourth(max(dot(n, h), 0.))), edge = 1. - nv;
  edge *= edge * edge;
  vec3 c = albedo * (fill * (.78 + .22 * n.y) * ao + key * diffuse * mix(1., ao, .7) + rim * edge * ao * (.6 + .4 * n.y));
  colour = vec4(display(c + key * shine * gleam * ao), 1);
}
