/* The worker of the benchmarks: tells when it started, then waits for its end.
 *
 * argv[1] is a FIFO that the benchmark reads. One record of 16 bytes goes there: our pid and the
 * monotonic time of our start in nanoseconds. Writes this small are atomic. The descriptor stays
 * open, so the reader sees the end of file when the last worker is gone, and we see the reader go
 * and leave too: no worker outlives its benchmark. SIGTERM has its default effect.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t record[2] = {getpid(), (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
    if (argc < 2)
        return 2;
    int fd = open(argv[1], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return 3;
    struct pollfd writable = {fd, POLLOUT, 0};
    while (write(fd, record, sizeof record) != sizeof record) {
        if (errno != EAGAIN && errno != EINTR)
            return 4;
        poll(&writable, 1, -1);
    }
    struct pollfd reader_gone = {fd, 0, 0};
    while (poll(&reader_gone, 1, -1) < 0 && errno == EINTR)
        ;
    return 0;
}
