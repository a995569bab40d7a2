/*
 * Loaded in front of the C library: the wall clock of a process, moved by the
 * seconds that stand as a number in a file ($JUMPING_CLOCK).  The file is mapped
 * at the start, before a sandbox is entered.  The clock that does not jump is
 * left alone.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *moved;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

/* Other libraries may be begun first, and ask what time it is. */
static int
real(clockid_t id, struct timespec *out)
{
	if (real_clock_gettime == NULL)
		*(void **)&real_clock_gettime =
		    dlsym(RTLD_NEXT, "clock_gettime");
	return real_clock_gettime(id, out);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("JUMPING_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*moved), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		moved = p;
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = real(id, out);

	if (rc == 0 && moved != NULL &&
	    (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		out->tv_sec += *moved;
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	out->tv_sec = now.tv_sec;
	out->tv_usec = now.tv_nsec / 1000;
	return 0;
}
