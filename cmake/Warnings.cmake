# One set of warnings for all C++ of the project; every warning is an error.
add_library(leman_warnings INTERFACE)
target_compile_options(leman_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Wvla -Werror)
