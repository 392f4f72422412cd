/* The program in the image of make bench-images. reads: ends at once. reads FILE: reads it to its end, then waits. */
#include <fcntl.h>
#include <unistd.h>

static char buf[1 << 16];

int main(int n, char **argv)
{
	ssize_t r;
	int fd;

	if (n < 2)
		return 0;
	fd = open(argv[1], O_RDONLY);
	if (fd < 0)
		return 1;
	do
		r = read(fd, buf, sizeof(buf));
	while (r > 0);
	if (r < 0)
		return 1;
	for (;;)
		(void) pause();
}
