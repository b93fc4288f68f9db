// Cuts the power of one file system: as far as programs can see, nothing that is not on its disk
// now will ever get there. tests/faults/disk.mjs builds and mounts the file system.
//
//   verbatim_cut_power MOUNT_POINT
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  // EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: the public kernel headers lack it.
  constexpr unsigned long shut_down = _IOR('X', 125, std::uint32_t);
  std::uint32_t without_flushing = 2;
  const int folder = ::open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || ::ioctl(folder, shut_down, &without_flushing) != 0) {
    std::perror(argv[1]);
    return 1;
  }
  ::close(folder);
  return 0;
}
