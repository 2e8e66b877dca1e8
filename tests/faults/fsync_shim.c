/* LD_PRELOAD: counts fsync and fdatasync, fails those with numbers in [from, until), kills the process at `die`.
   The four numbers live in the file named by COLLAB_FSYNC_CONTROL, which the test maps and changes while we run. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct control { volatile long calls, from, until, die; };
static struct control *control;

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("COLLAB_FSYNC_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) control = map;
}

static int refused(void)
{
    if (!control) return 0;
    long number = __sync_add_and_fetch(&control->calls, 1);
    if (control->die && number >= control->die) kill(getpid(), SIGKILL);
    return number >= control->from && number < control->until;
}

static int sync_with(const char *name, int fd)
{
    if (refused()) { errno = EIO; return -1; }
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }
