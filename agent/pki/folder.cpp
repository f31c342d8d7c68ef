#include "agent/pki/folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "plugin/base/text.hpp"
#include "plugin/base/trusted_file.hpp"
#include "plugin/base/whole_file.hpp"

namespace vmirror::pki {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostPemBytes = 64 << 10;
constexpr unsigned kSecret = 0600, kPublic = 0644;
constexpr std::array kHolders{Holder::host, Holder::server, Holder::operator_, Holder::viewer,
                              Holder::relay};

Result<void> check_name(const std::string& name) {
  constexpr const char* kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (name.empty() || name.find_first_not_of(kAllowed) != name.npos || name.front() == '.' ||
      name.front() == '-')
    return fail(Error::Kind::invalid, "`" + name + "` is no name for a certificate", "NAME",
                "write letters, digits, dots, hyphens and underscores");
  return {};
}

tl::unexpected<Error> not_written(const std::string& path) {
  return fail(Error::Kind::refused, std::string("can't be written: ") + std::strerror(errno), path,
              "run as its owner, or name another --folder");
}

/// Which holder's file it is, and whose; the name is empty where it is none's.
std::pair<Holder, std::string> holder_of(const std::string& file) {
  for (const Holder holder : kHolders) {
    const std::string prefix = std::string(to_text(holder)) + "-";
    if (file.starts_with(prefix) && file.ends_with(".pem"))
      return {holder, file.substr(prefix.size(), file.size() - prefix.size() - 4)};
  }
  return {Holder::host, ""};
}

Result<std::vector<Certificate>> read_file(const std::string& path) {
  const auto text = read_trusted(path, kMostPemBytes);
  if (!text) return tl::unexpected(text.error());
  auto out = read_certificates(*text);
  if (!out) out.error().where = path;
  return out;
}

tl::unexpected<Error> of_no_authority(Error error) {
  if (error.kind == Error::Kind::missing) error.remedy = "there is no CA here: `vmirror pki init`";
  return tl::unexpected(std::move(error));
}

}  // namespace

const char* to_text(Holder holder) {
  switch (holder) {
    case Holder::host:
      return "host";
    case Holder::server:
      return "server";
    case Holder::operator_:
      return "operator";
    case Holder::viewer:
      return "viewer";
    case Holder::relay:
      break;
  }
  return "relay";
}

Subject subject_of(Holder holder, const std::string& name) {
  if (holder == Holder::host) return {name};
  Subject out;
  const bool reads_only = holder == Holder::viewer || holder == Holder::relay;
  (reads_only ? out.unit : out.common_name) = std::string(to_text(holder)) + ":" + name;
  return out;
}

std::string file_name(Holder holder, const std::string& name) {
  return std::string(to_text(holder)) + "-" + name + ".pem";
}

/// The file that stands there keeps its owner: a daemon reads it as a user of its own.
Result<void> Folder::write(const std::string& name, const std::string& text, unsigned mode) const {
  const std::string path = file(name), fresh = file("." + name);
  struct stat was {};
  const bool there = ::stat(path.c_str(), &was) == 0;
  const bool done =
      replace_file(fresh, text) &&
      (!there || ::chown(fresh.c_str(), was.st_uid, was.st_gid) == 0) &&
      ::chmod(fresh.c_str(), there && mode == kSecret ? was.st_mode & 0640 : mode) == 0 &&
      ::rename(fresh.c_str(), path.c_str()) == 0;
  if (done) return {};
  const auto out = not_written(path);
  ::unlink(fresh.c_str());
  return out;
}

/// The key tells which CA of ca.pem issues: ca.pem may trust a newer one whose key was never
/// written.
Result<KeyPair> Folder::authority() const {
  const auto certificates = read_file(file("ca.pem"));
  if (!certificates) return of_no_authority(certificates.error());
  auto key = read_trusted(file("ca.key"), kMostPemBytes);
  if (!key) return of_no_authority(std::move(key.error()));
  for (const Certificate& one : *certificates)
    if (is_pair({*key, one.pem})) return KeyPair{std::move(*key), one.pem};
  return fail(Error::Kind::invalid, "is the key of no CA in ca.pem", file("ca.key"),
              "put back ca.key and ca.pem of one `vmirror pki init`");
}

Result<void> Folder::make_authority(Time now, Time validity) const {
  if (fs::exists(file("ca.key")) || fs::exists(file("ca.pem")))
    return fail(Error::Kind::refused, "there is a CA already", path_,
                "`vmirror pki list`; a new CA beside it: `vmirror pki rotate`");
  std::error_code code;
  const bool fresh = fs::create_directories(path_, code);
  if (code || (fresh && ::chmod(path_.c_str(), 0755) != 0)) return not_written(path_);
  return rotate_authority(now, validity);
}

Result<void> Folder::rotate_authority(Time now, Time validity) const {
  std::string before;
  if (fs::exists(file("ca.pem"))) {
    auto text = read_trusted(file("ca.pem"), kMostPemBytes);
    if (!text) return tl::unexpected(text.error());
    before = std::move(*text);
  }
  // A name of its own: OpenSSL looks for the CA of a certificate by its name first.
  auto made = pki::make_authority("vmirror CA " + clock_text(now), now, validity);
  if (!made) return tl::unexpected(made.error());
  if (auto done = write("ca.pem", made->certificate + before, kPublic); !done) return done;
  auto done = write("ca.key", made->key, kSecret);  // From here on it issues.
  if (!done && before.empty())
    ::unlink(file("ca.pem").c_str());
  else if (!done)
    (void)write("ca.pem", before, kPublic);  // Else a CA is trusted that issues nothing.
  return done;
}

Result<std::string> Folder::issue(const Order& order, Time now, Time validity) const {
  if (auto good = check_name(order.name); !good) return tl::unexpected(good.error());
  const auto ca = authority();
  if (!ca) return tl::unexpected(ca.error());
  const std::string name = file_name(order.holder, order.name);
  Subject subject = subject_of(order.holder, order.name);
  subject.dns = order.dns;
  subject.addresses = order.addresses;
  if (fs::exists(file(name)) && subject.dns.empty() && subject.addresses.empty()) {
    auto was = read_file(file(name));
    if (!was) return tl::unexpected(was.error());
    subject.dns = was->front().subject.dns;
    subject.addresses = was->front().subject.addresses;
  }
  const bool has_machine = order.holder == Holder::host || order.holder == Holder::server ||
                           order.holder == Holder::relay;
  if (has_machine && std::ranges::find(subject.dns, order.name) == subject.dns.end())
    subject.dns.insert(subject.dns.begin(), order.name);
  const auto made = pki::issue(*ca, subject, now, validity);
  if (!made) return tl::unexpected(made.error());
  if (auto done = write(name, made->key + made->certificate, kSecret); !done)
    return tl::unexpected(done.error());
  return file(name);
}

Result<std::vector<Entry>> Folder::entries() const {
  auto authorities = read_file(file("ca.pem"));
  if (!authorities) return of_no_authority(std::move(authorities.error()));
  std::vector<Entry> out;
  for (const Certificate& ca : *authorities)
    out.push_back({"ca.pem", std::nullopt, ca.subject.common_name, ca, true});
  std::vector<std::string> files;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(path_, code))
    files.push_back(entry.path().filename().string());
  std::ranges::sort(files);
  for (const std::string& name : files) {
    const auto [holder, whose] = holder_of(name);
    if (whose.empty()) continue;
    auto certificates = read_file(file(name));
    if (!certificates) return tl::unexpected(certificates.error());
    Certificate& one = certificates->front();
    const bool trusted = std::ranges::any_of(
        *authorities, [&](const Certificate& ca) { return is_signed_by(one, ca); });
    out.push_back({name, holder, whose, std::move(one), trusted});
  }
  return out;
}

Result<void> Folder::retire_authorities() const {
  const auto all = entries();
  if (!all) return tl::unexpected(all.error());
  const auto ca = authority();
  if (!ca) return tl::unexpected(ca.error());
  const auto certificates = read_certificates(ca->certificate);
  if (!certificates) return tl::unexpected(certificates.error());
  const Certificate& newest = certificates->front();
  for (const Entry& entry : *all)
    if (entry.holder && !is_signed_by(entry.certificate, newest))
      return fail(Error::Kind::refused, "is of the CA `" + entry.certificate.issuer + "`",
                  file(entry.file), "`vmirror pki renew` it, or remove it, and retire again");
  return write("ca.pem", newest.pem, kPublic);
}

}  // namespace vmirror::pki
