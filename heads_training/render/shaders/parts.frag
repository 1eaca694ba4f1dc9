in vec3 N, R, W;
in vec4 M;
in float open;
flat in int part;
out vec4 colour;
uniform vec3 iris, hair, light, key, fill, look;
uniform float distance_, lashes;

void main() {
  if (part == 4) { colour = vec4(hair * .06, lashes); return; }
  vec3 n = normalize(N), v = normalize(vec3(0, 0, distance_) - W), h = normalize(light + v), albedo;
  if (dot(n, v) < 0.) n = -n;
  float shine, sharp, ao, glint = 0.;
  if (part == 1) {
    vec3 d = normalize(R);
    float a = acos(clamp(dot(d, look), -1., 1.));
    vec3 tone = iris * (.70 + .75 * smoothstep(.18, .46, a)) * (1. - .65 * smoothstep(.40, .53, a));
    albedo = mix(vec3(.012), mix(tone, vec3(.84, .82, .80), smoothstep(.50, .59, a)), smoothstep(.19, .25, a));
    shine = .35; sharp = 70.;
    ao = mix(.6, 1., smoothstep(1.25, .5, acos(clamp(d.z, -1., 1.)))) * mix(.50, 1., smoothstep(.60, -.02, d.y));
    glint = smoothstep(.15, .06, length(d.xy - look.xy - vec2(.16 * clamp(light.x * 3., -1., 1.), .23)));
  } else if (part == 2) { albedo = vec3(.86, .83, .77); ao = max(.40, min(1., open * 3.)); shine = .2; sharp = 40.; }
  else { albedo = vec3(.58, .22, .21); ao = max(.3, open); shine = .1; sharp = 20.; }
  float nl = clamp((dot(n, light) + .5) / 1.5, 0., 1.);
  vec3 c = albedo * (fill * (.78 + .22 * n.y) * ao + key * nl * mix(1., ao, .7));
  c += key * (shine * pow(max(dot(n, h), 0.), sharp) * ao + .75 * glint);
  colour = vec4(display(c), 1);
}
