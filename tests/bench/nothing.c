/* Ends at once, without a C library: the program in the container when what is measured is everything else. With -DWAITS
 * it waits for a signal instead, which for process 1 is SIGKILL. */
void _start(void);

void _start(void)
{
#if defined(__x86_64__)
	__asm__ volatile("syscall" : : "a"(60), "D"(0) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long number __asm__("x8") = 93, code __asm__("x0") = 0;

	__asm__ volatile("svc 0" : : "r"(number), "r"(code) : "memory");
#else
#error "exit(0) of this architecture is missing here"
#endif
	for (;;)
		;
}
