/*
 * Memory of the stack that is used no more: what a start needed once stays resident for the life of a process.
 */
#ifndef CARREL_BASE_STACK_H
#define CARREL_BASE_STACK_H

/* Gives back what lies below the caller; it comes again, zeroed, when it is used. For the place from where a process that waits
 * most of its life does so. */
void stack_give_back(void);

#endif
