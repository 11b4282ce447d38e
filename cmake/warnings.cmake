# Warnings, hardening and sanitizers for every target of the tree.
add_library(hep_flags INTERFACE)
target_compile_options(hep_flags INTERFACE
  -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla -Wwrite-strings -Wstrict-prototypes
  -Wmissing-prototypes -Wformat=2 -Wcast-qual -Wpointer-arith -Wno-missing-field-initializers
  -fno-common -fstack-protector-strong)
target_compile_definitions(hep_flags INTERFACE _GNU_SOURCE)
if(HEP_WERROR)
  target_compile_options(hep_flags INTERFACE -Werror)
endif()
if(HEP_SANITIZE)
  target_compile_options(hep_flags INTERFACE
    -fsanitize=${HEP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(hep_flags INTERFACE -fsanitize=${HEP_SANITIZE})
else()
  target_compile_options(hep_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
