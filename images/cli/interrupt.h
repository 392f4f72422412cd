/*
 * Ctrl-C, and being asked to end: what the command has made so far goes with it, instead of waiting for the next command.
 *
 * The handler does one thing, which is safe at any instruction: it executes this program again, as
 * "carrel-image --interrupted SIGNAL STORE [FILE]". All descriptors close by that, and with them the locks; then the
 * children are ended, the store is swept as every command does at its beginning, FILE is removed, and the process dies
 * of the signal. Killed meanwhile it leaves what it would have left before.
 */
#ifndef CARREL_IMAGES_INTERRUPT_H
#define CARREL_IMAGES_INTERRUPT_H

/* From here on; both are borrowed for as long as the program runs. file: one that is half-written, or NULL. */
void interrupt_arm(const char *store, const char *file);

/* argv of a program executed by the handler: does not return. 0: it is another one. */
int interrupt_main(int argc, char **argv);

#endif
