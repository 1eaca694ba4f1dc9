in vec2 corner;
out vec2 q;
void main() { q = corner; gl_Position = vec4(corner, .999, 1); }
