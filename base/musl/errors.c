/*
 * The names of errors as glibc has them: people, engines and test suites look for these words, and some of musl's are
 * others ("Resource busy" for EBUSY). Those that a container can meet; the rest is musl's own.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#undef strerror

static const struct {
	int code;
	const char *text;
} names[] = {
	{ EIO, "Input/output error" },
	{ ECHILD, "No child processes" },
	{ ENOMEM, "Cannot allocate memory" },
	{ EBUSY, "Device or resource busy" },
	{ EXDEV, "Invalid cross-device link" },
	{ EMFILE, "Too many open files" },
	{ ENOTTY, "Inappropriate ioctl for device" },
	{ ESPIPE, "Illegal seek" },
	{ EDOM, "Numerical argument out of domain" },
	{ ERANGE, "Numerical result out of range" },
	{ EDEADLK, "Resource deadlock avoided" },
	{ ENAMETOOLONG, "File name too long" },
	{ ELOOP, "Too many levels of symbolic links" },
	{ ETIME, "Timer expired" },
	{ EOVERFLOW, "Value too large for defined data type" },
	{ EUSERS, "Too many users" },
	{ ENOTSOCK, "Socket operation on non-socket" },
	{ EMSGSIZE, "Message too long" },
	{ EOPNOTSUPP, "Operation not supported" },
	{ EADDRINUSE, "Address already in use" },
	{ EADDRNOTAVAIL, "Cannot assign requested address" },
	{ ENETUNREACH, "Network is unreachable" },
	{ ECONNABORTED, "Software caused connection abort" },
	{ EISCONN, "Transport endpoint is already connected" },
	{ ENOTCONN, "Transport endpoint is not connected" },
	{ ETIMEDOUT, "Connection timed out" },
	{ EHOSTUNREACH, "No route to host" },
	{ EINPROGRESS, "Operation now in progress" },
	{ EUCLEAN, "Structure needs cleaning" },
	{ EDQUOT, "Disk quota exceeded" },
};

const char *musl_strerror(int code)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].code == code)
			return names[i].text;
	}
	return strerror(code);
}
