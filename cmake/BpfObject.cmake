# bpf_object(name source [TARGET target] [INCLUDE dir...]): compiles one BPF program with clang-19 and
# makes its libbpf skeleton. Link the INTERFACE target `target_skel` (`name_skel` if none is given) to
# include "name.skel.h". INCLUDE directories are searched before those of bpf/.
find_program(BPF_CLANG NAMES clang-19 REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(bpf_object name source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" TARGET INCLUDE)
  set(target ${name})
  if(arg_TARGET)
    set(target ${arg_TARGET})
  endif()
  set(obj ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skel ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
  cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE src)
  set(bpf ${CMAKE_SOURCE_DIR}/bpf)
  list(TRANSFORM arg_INCLUDE PREPEND -I OUTPUT_VARIABLE includes)
  # UAPI headers of the distribution stand behind clang's own, or asm/types.h is not found.
  add_custom_command(
    OUTPUT ${obj}
    COMMAND ${BPF_CLANG} -target bpf -mcpu=v3 -g -O2 -fno-strict-aliasing
            -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
            ${includes} -I${bpf} -I${bpf}/include
            -idirafter /usr/include/${CMAKE_C_LIBRARY_ARCHITECTURE}
            -MD -MT ${obj} -MF ${obj}.d -c ${src} -o ${obj}
    DEPENDS ${src}
    DEPFILE ${obj}.d
    COMMENT "BPF ${target}"
    VERBATIM)
  add_custom_command(
    OUTPUT ${skel}
    COMMAND ${BPFTOOL} gen skeleton ${obj} name ${name} > ${skel}
    DEPENDS ${obj}
    COMMENT "BPF skeleton ${target}"
    VERBATIM)
  add_custom_target(${target}_skel_gen DEPENDS ${skel})
  add_library(${target}_skel INTERFACE)
  add_dependencies(${target}_skel ${target}_skel_gen)
  target_include_directories(${target}_skel SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
