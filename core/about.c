/*
** about.c - reads lun_about out of a plugin's file, without loading it.
**
** Loading a library runs its constructors; what a plugin says of itself has to be
** known before.  lun_about is constant data: its bytes lie in the file, and its three
** strings where the relocations of those bytes point.  The file is untrusted.
**
** Source: System V ABI, chapters 4 and 5 (ELF, dynamic linking).
*/
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include "plugin.h"
#include "files/map.h"

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64, RELATIVE = R_X86_64_RELATIVE, ABSOLUTE = R_X86_64_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64, RELATIVE = R_AARCH64_RELATIVE, ABSOLUTE = R_AARCH64_ABS64 };
#else
#error "say here what this machine's ELF files look like"
#endif

typedef struct image {
  const unsigned char *data;
  size_t               size;
  const Elf64_Shdr    *section;
  const Elf64_Phdr    *segment;
  int                  sections, segments;
} image;

/* 'count' things of 'size' bytes at 'offset', aligned; NULL if they are not all in the file */
static const void *at(const image *f, uint64_t offset, uint64_t count, size_t size, size_t align) {
  if (offset > f->size || count > (f->size - offset) / size || offset % align != 0) return NULL;
  return f->data + offset;
}

static bool read_headers(image *f) {
  const Elf64_Ehdr *h = at(f, 0, 1, sizeof *h, 1);
  if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB) return false;
  if (h->e_type != ET_DYN || h->e_machine != MACHINE) return false;
  if (h->e_shentsize != sizeof *f->section || h->e_phentsize != sizeof *f->segment) return false;
  f->sections = h->e_shnum;
  f->segments = h->e_phnum;
  f->section = at(f, h->e_shoff, h->e_shnum, sizeof *f->section, _Alignof(Elf64_Shdr));
  f->segment = at(f, h->e_phoff, h->e_phnum, sizeof *f->segment, _Alignof(Elf64_Phdr));
  return f->section && f->segment;
}

/* The bytes of the file that will lie at 'address'; how many in 'left'. */
static const unsigned char *loaded(const image *f, uint64_t address, size_t *left) {
  for (int i = 0; i < f->segments; i++) {
    const Elf64_Phdr *s = &f->segment[i];
    if (s->p_type != PT_LOAD || address < s->p_vaddr || address - s->p_vaddr >= s->p_filesz) continue;
    *left = s->p_filesz - (address - s->p_vaddr);
    return s->p_offset <= f->size && s->p_filesz <= f->size - s->p_offset ? f->data + s->p_offset + (address - s->p_vaddr) : NULL;
  }
  return NULL;
}

/* The section's symbols; how many in 'count'. */
static const Elf64_Sym *symbols(const image *f, const Elf64_Shdr *s, uint64_t *count) {
  *count = s->sh_size / sizeof(Elf64_Sym);
  return s->sh_type == SHT_DYNSYM ? at(f, s->sh_offset, *count, sizeof(Elf64_Sym), _Alignof(Elf64_Sym)) : NULL;
}

/* The section that another one names; an empty one if it names none. */
static const Elf64_Shdr *linked(const image *f, const Elf64_Shdr *s) {
  static const Elf64_Shdr none;
  return s->sh_link < (unsigned)f->sections ? &f->section[s->sh_link] : &none;
}

static const Elf64_Sym *find_symbol(const image *f, const char *name) {
  size_t length = strlen(name) + 1;
  for (int i = 0; i < f->sections; i++) {
    uint64_t          count;
    const Elf64_Sym  *symbol = symbols(f, &f->section[i], &count);
    const Elf64_Shdr *s = linked(f, &f->section[i]);
    const char       *names = at(f, s->sh_offset, s->sh_size, 1, 1);
    for (uint64_t k = 0; symbol && names && k < count; k++)
      if (symbol[k].st_shndx != SHN_UNDEF && symbol[k].st_name < s->sh_size && s->sh_size - symbol[k].st_name >= length &&
          memcmp(names + symbol[k].st_name, name, length) == 0) return &symbol[k];
  }
  return NULL;
}

/* What one relocation of section s makes of its pointer. */
static uint64_t relocated(const image *f, const Elf64_Shdr *s, const Elf64_Rela *r) {
  uint64_t         count;
  const Elf64_Sym *symbol = symbols(f, linked(f, s), &count);
  if (ELF64_R_TYPE(r->r_info) == RELATIVE) return (uint64_t)r->r_addend;
  if (ELF64_R_TYPE(r->r_info) != ABSOLUTE || !symbol || ELF64_R_SYM(r->r_info) >= count) return 0;
  return symbol[ELF64_R_SYM(r->r_info)].st_value + (uint64_t)r->r_addend;
}

/* Where the pointer at 'address' will point, 0 for nowhere: its relocation says, or else its bytes do. */
static uint64_t target(const image *f, uint64_t address) {
  const unsigned char *bytes;
  uint64_t             value = 0;
  size_t               left;
  for (int i = 0; i < f->sections; i++) {
    const Elf64_Shdr *s = &f->section[i];
    uint64_t          count = s->sh_size / sizeof(Elf64_Rela);
    const Elf64_Rela *r = s->sh_type == SHT_RELA ? at(f, s->sh_offset, count, sizeof *r, _Alignof(Elf64_Rela)) : NULL;
    for (uint64_t k = 0; r && k < count; k++)
      if (r[k].r_offset == address) return relocated(f, s, &r[k]);
  }
  bytes = loaded(f, address, &left);
  if (bytes && left >= sizeof value) memcpy(&value, bytes, sizeof value);
  return value;
}

/* The string that the pointer at 'address' will point to; false if it is none, too long or not printable. */
static bool read_string(const image *f, uint64_t address, char out[LUN_MAXNAME]) {
  size_t               left = 0, n = 0;
  uint64_t             to = target(f, address);
  const unsigned char *s = to ? loaded(f, to, &left) : NULL;
  if (!s) return false;
  while (n < left && n < LUN_MAXNAME && s[n] >= ' ' && s[n] <= '~') n++;
  if (n == left || n == LUN_MAXNAME || s[n] != '\0') return false;
  memcpy(out, s, n + 1);
  return true;
}

static lun_status check_about(lun_ctx *cx, const char *path, const image *f, lun_facts *facts) {
  const Elf64_Sym     *symbol = find_symbol(f, "lun_about");
  lun_plugin_about     about;
  const unsigned char *bytes;
  size_t               left = 0;
  if (!symbol) return lun_fail(cx, LUN_EABI, "%s: not a plugin: it exports no lun_about", path);
  bytes = loaded(f, symbol->st_value, &left);
  if (!bytes || left < sizeof about || symbol->st_size < sizeof about)
    return lun_fail(cx, LUN_EABI, "%s: lun_about has %llu bytes, wanted at least %zu", path, (unsigned long long)symbol->st_size, sizeof about);
  memcpy(&about, bytes, sizeof about);
  if (about.size < sizeof about || about.size > symbol->st_size)
    return lun_fail(cx, LUN_EABI, "%s: lun_about says it has %u bytes, wanted %zu", path, (unsigned)about.size, sizeof about);
  facts->abi = about.abi;
  if (!read_string(f, symbol->st_value + offsetof(lun_plugin_about, name), facts->name) || !lun_name_ok(facts->name)) {
    facts->name[0] = '\0';
    return lun_fail(cx, LUN_EABI, "%s: its name is not [a-z][a-z0-9_]* of at most %d bytes", path, LUN_MAXNAME - 1);
  }
  if (!read_string(f, symbol->st_value + offsetof(lun_plugin_about, version), facts->version) ||
      !read_string(f, symbol->st_value + offsetof(lun_plugin_about, license), facts->license))
    return lun_fail(cx, LUN_EABI, "%s: its version or licence is not a text of at most %d printable bytes", path, LUN_MAXNAME - 1);
  if (about.abi >> 16 != LUN_ABI_MAJOR || (about.abi & 0xffff) > LUN_ABI_MINOR)
    return lun_fail(cx, LUN_EABI, "%s: plugin %s is built for ABI %u.%u, this host has %d.%d", path, facts->name,
                    (unsigned)about.abi >> 16, (unsigned)about.abi & 0xffff, LUN_ABI_MAJOR, LUN_ABI_MINOR);
  if (!find_symbol(f, "lun_plugin_open"))
    return lun_fail(cx, LUN_EABI, "%s: plugin %s exports no lun_plugin_open", path, facts->name);
  return LUN_OK;
}

lun_status lun_plugin_read(lun_ctx *cx, const char *path, lun_facts *facts) {
  lun_map *map = lun_map_open(cx, path);
  image    f = { 0 };
  *facts = (lun_facts){ 0 };
  if (!map) return lun_error(cx);
  f.data = map->data;
  f.size = map->size;
  if (read_headers(&f)) check_about(cx, path, &f, facts);
  else lun_fail(cx, LUN_EIO, "%s: not a shared library of this machine", path);
  lun_map_drop(map);
  return lun_error(cx);
}
