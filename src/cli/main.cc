// leman: the command for people at a terminal, and for their scripts.
#include <cstdlib>

#include "cli/app.h"

int main(int argc, char** argv) {
  // gRPC's own log lines would stand between a user and the message meant for them.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  leman::cli::Console console = leman::cli::SystemConsole();
  return leman::cli::RunLeman({argv + 1, argv + argc}, console);
}
