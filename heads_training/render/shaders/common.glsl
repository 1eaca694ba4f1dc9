float hash(float x) { x = fract(x * .1031); x *= x + 33.33; return fract(x * (x + x)); }
float noise(float x) {
  float i = floor(x), f = x - i;
  return mix(hash(i), hash(i + 1.), f * f * (3. - 2. * f));
}
float fourth(float x) { x *= x; return x * x; }
vec3 curve(vec3 c) {  // a fit of the 1 / 2.2 power by square roots
  vec3 a = sqrt(c), b = sqrt(a);
  return .662002687 * a + .684122060 * b - .323583601 * sqrt(b) - .0225411470 * c;
}
vec3 display(vec3 c) {  // exposure 1 - exp(-1.5 c), the exponential as a series
  c = 1.5 * max(c, 0.);
  return curve(1. - 1. / (1. + c * (1. + c * (.5 + c * (.1667 + c * .05)))));
}
