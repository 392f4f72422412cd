/* Waits for ever, without a C library: the first process of a container whose life is measured step by step. As process 1 it
 * is ended by SIGKILL only. */
void _start(void);

void _start(void)
{
	for (;;) {
#if defined(__x86_64__)
		long result; /* pause(2) */

		__asm__ volatile("syscall" : "=a"(result) : "a"(34) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
		register long number __asm__("x8") = 73, fds __asm__("x0") = 0,
				     n __asm__("x1") = 0; /* ppoll(NULL, 0, NULL, NULL) */
		register long timeout __asm__("x2") = 0, mask __asm__("x3") = 0;

		__asm__ volatile("svc 0"
				 : "+r"(fds)
				 : "r"(number), "r"(n), "r"(timeout), "r"(mask)
				 : "memory");
#else
#error "waiting on this architecture is missing here"
#endif
	}
}
