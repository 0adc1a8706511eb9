#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

// Exit status 77 is "skipped" for ctest.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (geteuid() != 0) {
    std::puts("skipped: loading BPF programs and making network namespaces needs root");
    return 77;
  }
  return RUN_ALL_TESTS();
}
