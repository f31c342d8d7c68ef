#include "tests/support/nginx.hpp"

#include <unistd.h>

#include <fstream>

namespace vmirror::test {
namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
}

}  // namespace

std::string Nginx::unavailable() {
  if (access("/usr/sbin/nginx", X_OK) != 0) return "nginx isn't installed";
  return {};
}

Nginx::Nginx(const TemporaryDirectory& directory, std::string servers)
    : directory_(directory.path()), ports_(free_ports(8)) {
  for (std::size_t i = 0; i < ports_.size(); i++)
    replace_all(servers, "{" + std::to_string(i) + "}", std::to_string(ports_[i]));
  replace_all(servers, "{dir}", directory_);
  std::string config = R"(daemon off; master_process off; error_log {dir}/error.log; pid {dir}/pid;
events { worker_connections 64; }
http {
  log_format connections '$connection $status $request_uri';
  access_log {dir}/access.log connections;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
)";
  replace_all(config, "{dir}", directory_);
  std::ofstream(directory_ + "/nginx.conf") << config << servers << "}\n";
  start();
}

void Nginx::kill() {
  child_.reset();
}

void Nginx::start() {
  child_ = std::make_unique<Child>(
      std::vector<std::string>{"/usr/sbin/nginx", "-c", directory_ + "/nginx.conf", "-p",
                               directory_},
      directory_ + "/out", port(0));
}

std::vector<std::string> Nginx::log() const {
  std::ifstream file(directory_ + "/access.log");
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line);) out.push_back(line);
  return out;
}

}  // namespace vmirror::test
