/* Preloaded: the disk of one folder is full from the n-th call on that would take room there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long calls, full_from = -1;

/* From here on calls are counted anew, and fail from number `n` on; -1 for never. */
void full_disk_from(long n) { calls = 0; full_from = n; }
long full_disk_calls(void) { return calls; }

static int full(const char *path) {
    const char *folder = getenv("FULL_DISK");
    if (!folder || strncmp(path, folder, strlen(folder))) return 0;
    calls++;
    if (full_from < 0 || calls < full_from) return 0;
    errno = ENOSPC;
    return 1;
}

static int full_fd(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return full(path);
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = va_arg(list, int);
    va_end(list);
    if ((flags & O_CREAT) && full(path)) return -1;
    return NEXT(int (*)(const char *, int, ...), "open64")(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    int mode = va_arg(list, int);
    va_end(list);
    return open64(path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t size) {
    if (full_fd(fd)) return -1;
    return NEXT(ssize_t (*)(int, const void *, size_t), "write")(fd, data, size);
}

int fsync(int fd) {
    if (full_fd(fd)) return -1;
    return NEXT(int (*)(int), "fsync")(fd);
}

int rename(const char *from, const char *to) {
    if (full(to)) return -1;
    return NEXT(int (*)(const char *, const char *), "rename")(from, to);
}
