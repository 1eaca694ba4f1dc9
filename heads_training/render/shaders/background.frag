in vec2 q;
out vec4 colour;
uniform vec3 tone;      // OKLab
uniform vec3 gradient;  // slopes of lightness along x and y; strength of the glow behind the head
void main() {
  float light = tone.x + dot(q, gradient.xy) + gradient.z * (1. / (1. + 1.6 * dot(q, q)) - .5);
  vec3 m = vec3(light + .3963377774 * tone.y + .2158037573 * tone.z, light - .1055613458 * tone.y - .0638541728 * tone.z,
    light - .0894841775 * tone.y - 1.2914855480 * tone.z);
  m = m * m * m;
  vec3 c = vec3(4.0767416621 * m.x - 3.3077115913 * m.y + .2309699292 * m.z,
    -1.2684380046 * m.x + 2.6097574011 * m.y - .3413193965 * m.z, -.0041960863 * m.x - .7034186147 * m.y + 1.7076147010 * m.z);
  colour = vec4(curve(clamp(c, 0., 1.)), 1);
}
