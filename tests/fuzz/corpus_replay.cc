// Runs a fuzz target over every file of a directory: the regression test of what fuzzing found.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1], error)) {
    if (entry.is_regular_file(error)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    const std::vector<uint8_t> input(bytes.begin(), bytes.end());
    std::printf("%s: %zu bytes\n", path.c_str(), input.size());
    std::fflush(stdout);  // the last line names the file if it crashes
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  // An empty directory means the path is wrong, not that all is well.
  return files.empty() ? 1 : 0;
}
