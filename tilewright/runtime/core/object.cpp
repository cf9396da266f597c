#include "object.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "relocation.h"

namespace tw {

namespace {

constexpr uint64_t kMost = 1 << 30;  // no object of ours comes near; sums of offsets below it cannot overflow

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

// An object file, every access to which is checked.
class Image {
   public:
    explicit Image(std::string_view bytes) : bytes_(bytes) {
        if (bytes.size() > kMost) refuse("the object is too large");
        header_ = read<Elf64_Ehdr>(0);
        if (memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0 || header_.e_ident[EI_CLASS] != ELFCLASS64 ||
            header_.e_ident[EI_DATA] != ELFDATA2LSB || header_.e_type != ET_REL)
            refuse("this is no 64-bit little-endian object file");
        if (header_.e_machine != kMachine) refuse("the object is for another kind of processor");
        sections = table<Elf64_Shdr>(header_.e_shoff, header_.e_shnum);
    }

    template <class T>
    T read(uint64_t at) const {
        T value;
        memcpy(&value, part(at, sizeof value).data(), sizeof value);
        return value;
    }

    template <class T>
    std::vector<T> table(uint64_t at, uint64_t count) const {
        if (count > bytes_.size() / sizeof(T)) refuse("a table of the object is cut short");
        std::vector<T> values(count);
        if (count) memcpy(values.data(), part(at, count * sizeof(T)).data(), count * sizeof(T));
        return values;
    }

    template <class T>
    std::vector<T> table(const Elf64_Shdr& section) const {
        return table<T>(section.sh_offset, section.sh_size / sizeof(T));
    }

    std::string_view part(uint64_t at, uint64_t size) const {
        if (at > bytes_.size() || size > bytes_.size() - at) refuse("the object is cut short");
        return bytes_.substr(at, size);
    }

    const Elf64_Shdr& section(uint64_t number) const {
        if (number >= sections.size()) refuse("the object has no section " + std::to_string(number));
        return sections[number];
    }

    std::string text(const Elf64_Shdr& strings, uint64_t at) const {
        std::string_view all = part(strings.sh_offset, strings.sh_size);
        size_t end = all.find('\0', at);
        if (at >= all.size() || end == all.npos) refuse("a name in the object is cut short");
        return std::string(all.substr(at, end - at));
    }

    std::vector<Elf64_Shdr> sections;

   private:
    std::string_view bytes_;
    Elf64_Ehdr header_;
};

uint64_t rounded_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

bool is_kept(const Elf64_Shdr& s) { return (s.sh_flags & SHF_ALLOC) && s.sh_size > 0; }

// Where each section goes: code first, constants from the next page on.
class Layout {
   public:
    Layout(const Image& image, uint64_t page) : offsets(image.sections.size(), kNowhere) {
        place(image, SHF_EXECINSTR, page);
        code = bytes = rounded_up(bytes, page);
        place(image, 0, page);
        bytes = rounded_up(bytes, page);
    }

    static constexpr uint64_t kNowhere = ~uint64_t{0};
    std::vector<uint64_t> offsets;
    uint64_t code = 0, bytes = 0;

   private:
    void place(const Image& image, uint64_t kind, uint64_t page) {
        for (size_t n = 0; n < offsets.size(); ++n) {
            const Elf64_Shdr& s = image.sections[n];
            if (!is_kept(s) || (s.sh_flags & SHF_EXECINSTR) != kind) continue;
            if (s.sh_flags & (SHF_WRITE | SHF_TLS)) refuse("the object has variables of its own");
            uint64_t align = s.sh_addralign ? s.sh_addralign : 1;
            if (s.sh_size > kMost || align > page || (align & (align - 1))) refuse("a section cannot be laid out");
            offsets[n] = rounded_up(bytes, align);
            bytes = offsets[n] + s.sh_size;
            if (bytes > kMost) refuse("the object is too large");
        }
    }
};

// Fills the memory of an object and finds its symbols.
class Loader {
   public:
    Loader(const Image& image, const Layout& layout, char* memory)
        : image_(image), layout_(layout), memory_(memory) {}

    void copy() const {
        for (size_t n = 0; n < image_.sections.size(); ++n) {
            const Elf64_Shdr& s = image_.sections[n];
            if (layout_.offsets[n] == Layout::kNowhere || s.sh_type == SHT_NOBITS) continue;
            memcpy(memory_ + layout_.offsets[n], image_.part(s.sh_offset, s.sh_size).data(), s.sh_size);
        }
    }

    void relocate() const {
        for (const Elf64_Shdr& s : image_.sections) {
            if (s.sh_type == SHT_REL) refuse("relocations without addends are not supported");
            if (s.sh_type != SHT_RELA || layout_.offsets[index(s.sh_info)] == Layout::kNowhere) continue;
            const Elf64_Shdr& symbols = image_.section(s.sh_link);
            auto table = image_.table<Elf64_Sym>(symbols);
            for (const auto& r : image_.table<Elf64_Rela>(s)) apply(r, s.sh_info, symbols, table);
        }
    }

    std::unordered_map<std::string, void*> globals() const {
        std::unordered_map<std::string, void*> found;
        for (const Elf64_Shdr& s : image_.sections) {
            if (s.sh_type != SHT_SYMTAB) continue;
            for (const Elf64_Sym& symbol : image_.table<Elf64_Sym>(s))
                if (ELF64_ST_BIND(symbol.st_info) == STB_GLOBAL && symbol.st_shndx != SHN_UNDEF)
                    found[name(s, symbol)] = reinterpret_cast<void*>(address(s, symbol));
        }
        return found;
    }

   private:
    size_t index(uint64_t section) const { return image_.section(section), section; }

    std::string name(const Elf64_Shdr& symbols, const Elf64_Sym& symbol) const {
        return image_.text(image_.section(symbols.sh_link), symbol.st_name);
    }

    uint64_t address(const Elf64_Shdr& symbols, const Elf64_Sym& symbol) const {
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE)
            refuse("the object needs '" + name(symbols, symbol) + "' from outside");
        uint64_t offset = layout_.offsets[index(symbol.st_shndx)];
        if (offset == Layout::kNowhere || symbol.st_value > image_.section(symbol.st_shndx).sh_size)
            refuse("a symbol of the object lies nowhere");
        return reinterpret_cast<uint64_t>(memory_) + offset + symbol.st_value;
    }

    void apply(const Elf64_Rela& r, uint64_t section, const Elf64_Shdr& symbols,
               const std::vector<Elf64_Sym>& table) const {
        uint32_t type = ELF64_R_TYPE(r.r_info), number = ELF64_R_SYM(r.r_info);
        uint64_t size = relocation_bytes(kMachine, type), room = image_.section(section).sh_size;
        if (size == 0) refuse("relocations of type " + std::to_string(type) + " are not supported");
        if (r.r_offset > room || size > room - r.r_offset || number >= table.size())
            refuse("a relocation of the object lies outside");
        char* field = memory_ + layout_.offsets[section] + r.r_offset;
        uint64_t target = address(symbols, table[number]) + r.r_addend;
        if (!tw::relocate(kMachine, type, field, reinterpret_cast<uint64_t>(field), target))
            refuse("a relocation of the object reaches too far");
    }

    const Image& image_;
    const Layout& layout_;
    char* memory_;
};

}  // namespace

Object::Object(std::string_view bytes) {
    Image image(bytes);
    Layout layout(image, static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
    if (layout.bytes == 0) return;
    void* memory = mmap(nullptr, layout.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<char*>(memory);
    bytes_ = layout.bytes;
    try {
        Loader loader(image, layout, memory_);
        loader.copy();
        loader.relocate();
        symbols_ = loader.globals();
        __builtin___clear_cache(memory_, memory_ + layout.code);
        if (mprotect(memory_, layout.code, PROT_READ | PROT_EXEC) ||
            (layout.bytes > layout.code && mprotect(memory_ + layout.code, layout.bytes - layout.code, PROT_READ)))
            refuse("the system does not let this process make memory executable");
    } catch (...) {
        munmap(memory_, bytes_);
        throw;
    }
}

Object::~Object() {
    if (memory_) munmap(memory_, bytes_);
}

void* Object::symbol(const std::string& name) const {
    auto found = symbols_.find(name);
    return found == symbols_.end() ? nullptr : found->second;
}

}  // namespace tw
