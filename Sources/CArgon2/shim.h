#pragma once
#include <argon2.h>
#include <stdint.h>
#include <sys/mman.h>

// glibc's malloc raises its mmap threshold when a block of this size is first freed, and from then on keeps
// such blocks in its arenas. Mapping them here gives the memory back after each hash.
static inline int fl_argon2_map(uint8_t **memory, size_t size) {
  void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return ARGON2_MEMORY_ALLOCATION_ERROR;
  madvise(block, size, MADV_HUGEPAGE); // it saves a third of the time
  madvise(block, size, MADV_DONTDUMP); // it holds what is left of a password
  *memory = (uint8_t *)block;
  return ARGON2_OK;
}

static inline void fl_argon2_unmap(uint8_t *memory, size_t size) { munmap(memory, size); }

/// Fills `tag` by Argon2id version 1.3 (RFC 9106) without secret and associated data, in the calling thread;
/// `kibibytes` of memory, `passes` over it, `lanes`. ARGON2_OK when it worked.
static inline int fl_argon2id(
    const uint8_t *password, uint32_t password_size, const uint8_t *salt, uint32_t salt_size,
    uint32_t kibibytes, uint32_t passes, uint32_t lanes, uint8_t *tag, uint32_t tag_size) {
  argon2_context context = {
      .out = tag,
      .outlen = tag_size,
      .pwd = (uint8_t *)password,
      .pwdlen = password_size,
      .salt = (uint8_t *)salt,
      .saltlen = salt_size,
      .t_cost = passes,
      .m_cost = kibibytes,
      .lanes = lanes,
      .threads = 1,
      .version = ARGON2_VERSION_13,
      .allocate_cbk = fl_argon2_map,
      .free_cbk = fl_argon2_unmap,
      .flags = ARGON2_DEFAULT_FLAGS,
  };
  return argon2_ctx(&context, Argon2_id);
}
