in float z;
out float o;
void main() { o = z; }
