/*
 * Fails one system call of a process, by LD_PRELOAD: the k-th of those that touch files below the
 * directory in KOGRPO_FAULT_DIR. Counted are open, write, pwrite, fsync, ftruncate, close, rename,
 * mkdir, rmdir, unlink, statfs. The process steers it by opening names that do not exist:
 *
 *   /kogrpo-fault/<mode>/<k>   from now on the k-th call fails (from 1)
 *   /kogrpo-fault/report       stops counting; a file with "<calls> <name of the failed call> <path>"
 *
 * Modes: ENOSPC, EIO, EINTR (once), SHORT (half of what a write was given), KILL (SIGKILL instead of
 * the call). KOGRPO_FAULT_KILL="<call> <k> <text>" in the environment kills at the k-th call of that name
 * whose path contains the text, in a process that knows nothing of it. fsync does not go to the disk: what survives a power failure is not what is tested.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define MAX_FD 4096
static char watched[MAX_FD][256]; /* path of a descriptor that is watched, or "" */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char mode[16] = "";
static long at = 0, calls = 0;
static char failed[400] = "none -";

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int below(const char *path) {
  const char *dir = getenv("KOGRPO_FAULT_DIR");
  return dir && path && strncmp(path, dir, strlen(dir)) == 0;
}

static void kill_at(const char *call, const char *path) {
  static long matching = 0;
  char name[16], text[128];
  long k;
  const char *place = getenv("KOGRPO_FAULT_KILL");
  if (!place || sscanf(place, "%15s %ld %127s", name, &k, text) != 3) return;
  if (strcmp(call, name) == 0 && strstr(path, text) && ++matching == k) kill(getpid(), SIGKILL);
}

/* Counts a call; whether it is the one that fails, with errno set. SHORT and KILL included. */
static int fails(const char *call, const char *path, int can_be_short) {
  pthread_mutex_lock(&lock);
  kill_at(call, path);
  int hit = mode[0] && ++calls == at;
  if (hit && strcmp(mode, "SHORT") == 0 && !can_be_short) hit = 0;
  if (hit) snprintf(failed, sizeof failed, "%s %s", call, path);
  pthread_mutex_unlock(&lock);
  if (!hit) return 0;
  if (strcmp(mode, "KILL") == 0) kill(getpid(), SIGKILL);
  errno = strcmp(mode, "ENOSPC") == 0 ? ENOSPC : strcmp(mode, "EINTR") == 0 ? EINTR : EIO;
  return 1;
}

static int is_short(void) { return strcmp(mode, "SHORT") == 0; }
static const char *path_of(int fd) { return fd >= 0 && fd < MAX_FD ? watched[fd] : ""; }

static int steer(const char *path) {
  static const char prefix[] = "/kogrpo-fault/";
  if (strncmp(path, prefix, sizeof prefix - 1) != 0) return -2;
  const char *rest = path + sizeof prefix - 1;
  pthread_mutex_lock(&lock);
  int fd = -1;
  if (strcmp(rest, "report") == 0) {
    char text[500];
    int n = snprintf(text, sizeof text, "%ld %s", calls, failed);
    fd = memfd_create("report", 0);
    REAL(write)(fd, text, (size_t)n);
    lseek(fd, 0, SEEK_SET);
    mode[0] = 0;
  } else {
    sscanf(rest, "%15[^/]/%ld", mode, &at);
    calls = 0;
    strcpy(failed, "none -");
    errno = ENOENT;
  }
  pthread_mutex_unlock(&lock);
  return fd;
}

int open64(const char *path, int flags, ...) {
  mode_t bits = 0;
  if (flags & O_CREAT) {
    va_list list;
    va_start(list, flags);
    bits = va_arg(list, mode_t);
    va_end(list);
  }
  int fd = steer(path);
  if (fd != -2) return fd;
  int watch = below(path);
  if (watch && fails("open", path, 0)) return -1;
  fd = REAL(open64)(path, flags, bits);
  if (fd >= 0 && fd < MAX_FD) {
    watched[fd][0] = 0;
    if (watch) snprintf(watched[fd], sizeof watched[fd], "%s", path);
  }
  return fd;
}
int open(const char *path, int flags, ...) {
  mode_t bits = 0;
  if (flags & O_CREAT) {
    va_list list;
    va_start(list, flags);
    bits = va_arg(list, mode_t);
    va_end(list);
  }
  return open64(path, flags, bits);
}

ssize_t write(int fd, const void *data, size_t n) {
  const char *path = path_of(fd);
  if (path[0] && fails("write", path, n > 1)) {
    if (!is_short()) return -1;
    n /= 2;
  }
  return REAL(write)(fd, data, n);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset) {
  const char *path = path_of(fd);
  if (path[0] && fails("pwrite", path, n > 1)) {
    if (!is_short()) return -1;
    n /= 2;
  }
  return REAL(pwrite64)(fd, data, n, offset);
}
int fsync(int fd) {
  const char *path = path_of(fd);
  if (path[0]) return fails("fsync", path, 0) ? -1 : 0;
  return REAL(fsync)(fd);
}
int ftruncate64(int fd, off64_t length) {
  const char *path = path_of(fd);
  if (path[0] && fails("ftruncate", path, 0)) return -1;
  return REAL(ftruncate64)(fd, length);
}
int close(int fd) {
  char path[256];
  snprintf(path, sizeof path, "%s", path_of(fd));
  if (fd >= 0 && fd < MAX_FD) watched[fd][0] = 0;
  if (!path[0] || !fails("close", path, 0)) return REAL(close)(fd);
  /* Linux closes the descriptor whatever close returns. */
  int why = errno;
  REAL(close)(fd);
  errno = why;
  return -1;
}
int rename(const char *from, const char *to) {
  if (below(to) && fails("rename", to, 0)) return -1;
  return REAL(rename)(from, to);
}
int mkdir(const char *path, mode_t bits) {
  if (below(path) && fails("mkdir", path, 0)) return -1;
  return REAL(mkdir)(path, bits);
}
int rmdir(const char *path) {
  if (below(path) && fails("rmdir", path, 0)) return -1;
  return REAL(rmdir)(path);
}
int unlink(const char *path) {
  if (below(path) && fails("unlink", path, 0)) return -1;
  return REAL(unlink)(path);
}
int statfs64(const char *path, struct statfs64 *info) {
  if (below(path) && fails("statfs", path, 0)) return -1;
  return REAL(statfs64)(path, info);
}
