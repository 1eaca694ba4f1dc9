uniform vec4 camera;  // shift x, shift y, scale, distance
vec4 project(vec3 p) {
  float w = camera.w - p.z;
  return vec4(p.xy * camera.z * camera.w + camera.xy * w, -p.z * .08 * w, w);
}
