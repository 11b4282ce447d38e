# Makes a C file of files: cmake -DOUT=... -DPREFIX=... -DFILES="a;b" -P embed.cmake
#
# Each FILE gives `const unsigned char PREFIX_name_ext[]`, `const size_t PREFIX_name_ext_len` and
# `const char PREFIX_name_ext_etag[]`, a weak entity tag made of its content.
set(text "/* Made by cmake/embed.cmake. */\n#include <stddef.h>\n\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} name)
  set(name ${PREFIX}_${name})
  file(READ ${file} octets HEX)
  file(SHA256 ${file} hash)
  string(SUBSTRING ${hash} 0 16 hash)
  string(LENGTH "${octets}" len)
  math(EXPR len "${len} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n" octets "${octets}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," octets "${octets}")
  string(APPEND text "extern const unsigned char ${name}[];\nextern const size_t ${name}_len;\n"
    "extern const char ${name}_etag[];\n"
    "const unsigned char ${name}[] = {\n${octets}\n};\nconst size_t ${name}_len = ${len};\n"
    "const char ${name}_etag[] = \"W/\\\"${hash}\\\"\";\n\n")
endforeach()
file(WRITE ${OUT} "${text}")
