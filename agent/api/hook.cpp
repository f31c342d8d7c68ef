#include "agent/api/hook.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace vmirror {
namespace {

HttpResponse plain(int status, std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return {status, "text/plain", std::move(text)};
}

}  // namespace

bool is_hook_call(const HttpRequest& request) {
  const auto url = boost::urls::parse_origin_form(request.target);
  return request.method == "POST" && url && url->path() == "/v1/hook";
}

HttpResponse answer_hook(const HookHandler& handler, const HttpRequest& request) {
  const auto url = boost::urls::parse_origin_form(request.target);
  if (!url) return plain(400, "no such target");
  HookCall call;
  for (const auto& param : url->params()) {
    if (param.key == "operation") call.operation = param.value;
    if (param.key == "guest") call.guest = param.value;
  }
  if (call.operation.empty() || call.guest.empty())
    return plain(400, "name `operation` and `guest`");
  call.xml = request.body;
  const HookAnswer answer = handler ? handler(call) : HookAnswer{};
  constexpr int kStatus[] = {200, 202, 409, 503};
  return plain(kStatus[static_cast<int>(answer.kind)], answer.reason);
}

}  // namespace vmirror
