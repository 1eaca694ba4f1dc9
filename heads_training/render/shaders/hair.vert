in vec3 position, normal, along;
in vec4 place;
out vec3 N, T, W;
out vec4 P;
void main() { N = normal; T = along; W = position; P = place; gl_Position = project(position); }
