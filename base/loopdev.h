/*
 * A file as a block device, one device for all who ask for the same file: what is mounted from it is one file system
 * then, with one page cache, however many mounts there are.
 */
#ifndef CARREL_BASE_LOOPDEV_H
#define CARREL_BASE_LOOPDEV_H

struct err;

struct loopdev_path {
	char s[24];
};

/* Returns the open device, read-only. It frees itself when nobody has it open or mounted any more. May block while another
 * process makes one. file_fd: a regular file, open for reading. */
int loopdev_open(int file_fd, struct loopdev_path *path, struct err *e);

/* One of its own, for writing too. It holds file_fd's open file: a flock taken on file_fd lasts as long as anything is mounted
 * from the device, whoever closes what. */
int loopdev_new(int file_fd, struct loopdev_path *path, struct err *e);

#endif
