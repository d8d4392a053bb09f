/*
 * A disk below SQLite that fails, and that loses power. Loaded in front of libc (LD_PRELOAD).
 *
 * What it simulates: writes that are not flushed by fsync or fdatasync are in doubt. When the power goes, the write that is
 * under way is torn, and of all those in doubt each sector of 512 bytes is there or not, by chance; or none is. A write can
 * fail with EIO or ENOSPC; so can a flush, and then all writes in doubt are gone at once, as they are from the page cache of
 * Linux sooner or later.
 *
 * What it does not: directory entries that are lost (a file that was made, renamed or removed stays so), and bits that rot.
 *
 * DISK_FILE    the database's path; its write-ahead log and journal are beside it
 * DISK_FAULTS  for example "eio:40,enospc:70,cut:200": at which write or flush, counted from 1, what happens;
 *              "lie:0" makes flushes do nothing, as on a disk with a volatile cache and no regard for FLUSH
 * DISK_SEED    of chance
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, FILES = 64, DESCRIPTORS = 4096, FAULTS = 16, POWER_IS_GONE = 75 };

enum fault { NONE, CUT, FAIL_IO, FAIL_SPACE };

/* What a write replaced. */
struct undo {
    struct undo *older;
    off_t at;
    size_t length;
    off_t size; /* of the file, before */
    unsigned char old[];
};

struct file {
    dev_t device;
    ino_t inode;
    int descriptor;
    struct undo *latest;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct file files[FILES];
static int file_count;
static struct file *volatile by_descriptor[DESCRIPTORS];
static struct { enum fault fault; unsigned long at; } faults[FAULTS];
static int fault_count;
static unsigned long events;
static int lies;
static const char *path;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static void *find(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        abort();
    return function;
}

static void start(void)
{
    *(void **)&real_open = find("open64");
    *(void **)&real_close = find("close");
    *(void **)&real_write = find("write");
    *(void **)&real_pwrite = find("pwrite64");
    *(void **)&real_ftruncate = find("ftruncate64");
    *(void **)&real_fsync = find("fsync");
    *(void **)&real_fdatasync = find("fdatasync");
    path = getenv("DISK_FILE");
    const char *seed = getenv("DISK_SEED");
    srandom(seed ? (unsigned)strtoul(seed, NULL, 10) : 1);
    const char *text = getenv("DISK_FAULTS");
    while (text && *text && fault_count < FAULTS) {
        const char *colon = strchr(text, ':');
        if (!colon)
            abort();
        unsigned long at = strtoul(colon + 1, NULL, 10);
        if (!strncmp(text, "lie", 3))
            lies = 1;
        else {
            faults[fault_count].fault = !strncmp(text, "cut", 3) ? CUT : !strncmp(text, "eio", 3) ? FAIL_IO : FAIL_SPACE;
            faults[fault_count++].at = at;
        }
        text = strchr(colon, ',');
        text = text ? text + 1 : NULL;
    }
}

static int is_watched(const char *name)
{
    size_t length = path ? strlen(path) : 0;
    if (!length || strncmp(name, path, length))
        return 0;
    return !name[length] || !strcmp(name + length, "-wal") || !strcmp(name + length, "-journal");
}

static void watch(int descriptor, const char *name, int flags)
{
    struct stat status;
    if (descriptor < 0 || descriptor >= DESCRIPTORS || !is_watched(name) || (flags & O_ACCMODE) == O_RDONLY)
        return;
    if (fstat(descriptor, &status))
        abort();
    pthread_mutex_lock(&lock);
    struct file *file = NULL;
    for (int i = 0; i < file_count && !file; i++)
        if (files[i].device == status.st_dev && files[i].inode == status.st_ino)
            file = &files[i];
    if (!file) {
        if (file_count == FILES)
            abort();
        file = &files[file_count++];
        file->device = status.st_dev;
        file->inode = status.st_ino;
        /* Never closed: that would give up the locks of the whole process. */
        file->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, DESCRIPTORS / 2);
        if (file->descriptor < 0)
            abort();
    }
    by_descriptor[descriptor] = file;
    pthread_mutex_unlock(&lock);
}

static struct file *watched(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS ? by_descriptor[descriptor] : NULL;
}

/* Counts an event; what happens at it. */
static enum fault next(void)
{
    events++;
    for (int i = 0; i < fault_count; i++)
        if (faults[i].at == events)
            return faults[i].fault;
    return NONE;
}

static void remember(struct file *file, off_t at, size_t length)
{
    struct stat status;
    struct undo *undo = calloc(1, sizeof *undo + length);
    if (!undo || fstat(file->descriptor, &status))
        abort();
    undo->at = at;
    undo->length = length;
    undo->size = status.st_size;
    /* Beyond the end there are zeros. */
    if (length && pread(file->descriptor, undo->old, length, at) < 0)
        abort();
    undo->older = file->latest;
    file->latest = undo;
}

static void put_back(struct file *file, const struct undo *undo, size_t from, size_t to)
{
    if (real_pwrite(file->descriptor, undo->old + from, to - from, undo->at + (off_t)from) < 0)
        abort();
}

static void forget(struct file *file)
{
    while (file->latest) {
        struct undo *undo = file->latest;
        file->latest = undo->older;
        free(undo);
    }
}

/* Nothing that is in doubt was written. */
static void lose_all(struct file *file)
{
    for (struct undo *undo = file->latest; undo; undo = undo->older) {
        put_back(file, undo, 0, undo->length);
        if (real_ftruncate(file->descriptor, undo->size))
            abort();
    }
    forget(file);
}

/* Of what is in doubt, some sectors were written. */
static void lose_some(struct file *file)
{
    for (struct undo *undo = file->latest; undo; undo = undo->older) {
        size_t from = 0;
        while (from < undo->length) {
            size_t to = from + SECTOR - (size_t)((undo->at + (off_t)from) % SECTOR);
            to = to < undo->length ? to : undo->length;
            if (random() & 1)
                put_back(file, undo, from, to);
            from = to;
        }
    }
    forget(file);
}

static void lose_power(void)
{
    int all = lies || random() & 1;
    for (int i = 0; i < file_count; i++) {
        if (all)
            lose_all(&files[i]);
        else
            lose_some(&files[i]);
    }
    /* With the lock held: nobody writes any more. */
    _exit(POWER_IS_GONE);
}

static int failed(enum fault fault)
{
    errno = fault == FAIL_IO ? EIO : ENOSPC;
    return -1;
}

static ssize_t write_at(struct file *file, const void *data, size_t length, off_t at)
{
    pthread_mutex_lock(&lock);
    enum fault fault = next();
    ssize_t written;
    if (fault == FAIL_IO || fault == FAIL_SPACE) {
        written = failed(fault);
    } else {
        remember(file, at, length);
        if (fault == CUT) {
            size_t torn = (size_t)random() % (length + 1);
            if (real_pwrite(file->descriptor, data, torn, at) < 0)
                abort();
            lose_power();
        }
        written = real_pwrite(file->descriptor, data, length, at);
    }
    pthread_mutex_unlock(&lock);
    return written;
}

static int flush(struct file *file)
{
    pthread_mutex_lock(&lock);
    enum fault fault = next();
    int result = 0;
    if (fault == CUT)
        lose_power();
    if (fault != NONE) {
        lose_all(file);
        result = failed(fault);
    } else if (!lies) {
        forget(file);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

/* What is called instead of libc's. */

static int open_and_watch(const char *name, int flags, mode_t mode)
{
    pthread_once(&once, start);
    int descriptor = real_open(name, flags, mode);
    watch(descriptor, name, flags);
    return descriptor;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *name, int flags, ...)
{
    MODE(flags)
    return open_and_watch(name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
    MODE(flags)
    return open_and_watch(name, flags, mode);
}

int close(int descriptor)
{
    pthread_once(&once, start);
    if (watched(descriptor))
        by_descriptor[descriptor] = NULL;
    return real_close(descriptor);
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t at)
{
    pthread_once(&once, start);
    struct file *file = watched(descriptor);
    return file ? write_at(file, data, length, at) : real_pwrite(descriptor, data, length, at);
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t at)
{
    return pwrite(descriptor, data, length, at);
}

ssize_t write(int descriptor, const void *data, size_t length)
{
    pthread_once(&once, start);
    struct file *file = watched(descriptor);
    if (!file)
        return real_write(descriptor, data, length);
    off_t at = lseek(descriptor, 0, SEEK_CUR);
    ssize_t written = write_at(file, data, length, at);
    if (written > 0)
        lseek(descriptor, at + written, SEEK_SET);
    return written;
}

int ftruncate(int descriptor, off_t size)
{
    pthread_once(&once, start);
    struct file *file = watched(descriptor);
    struct stat status;
    if (!file || fstat(descriptor, &status))
        return real_ftruncate(descriptor, size);
    pthread_mutex_lock(&lock);
    remember(file, size, status.st_size > size ? (size_t)(status.st_size - size) : 0);
    int result = real_ftruncate(descriptor, size);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate64(int descriptor, off64_t size)
{
    return ftruncate(descriptor, size);
}

int fsync(int descriptor)
{
    pthread_once(&once, start);
    struct file *file = watched(descriptor);
    return file ? flush(file) : real_fsync(descriptor);
}

int fdatasync(int descriptor)
{
    pthread_once(&once, start);
    struct file *file = watched(descriptor);
    return file ? flush(file) : real_fdatasync(descriptor);
}
