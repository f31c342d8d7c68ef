// SOAP messages, by tables.
#include "plugin/net/soap.hpp"

#include <gtest/gtest.h>

namespace vmirror::net {
namespace {

const std::string k11 = "http://schemas.xmlsoap.org/soap/envelope/";
const std::string k12 = "http://www.w3.org/2003/05/soap-envelope";

Message message(const std::string& text) {
  return {text.begin(), text.end()};
}
std::string envelope(const std::string& version, const std::string& body) {
  return "<s:Envelope xmlns:s=\"" + version + "\"><s:Body>" + body + "</s:Body></s:Envelope>";
}

TEST(SoapRequest, EncodesBothVersions) {
  SoapRequest request(SoapVersion::v1_2);
  request.envelope().append_attribute("xmlns:w") = "urn:w";
  request.header().append_child("w:To").text() = "http://x/?a&b";
  request.body().append_child("Get").append_attribute("name") = "a\"<b";
  const auto text = request.encode();
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_EQ(std::string(text->begin(), text->end()),
            "<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"" + k12 +
                "\" xmlns:w=\"urn:w\"><e:Header><w:To>http://x/?a&amp;b</w:To></e:Header><e:Body>"
                "<Get name=\"a&quot;&lt;b\"/></e:Body></e:Envelope>");
  SoapRequest old(SoapVersion::v1_1);
  EXPECT_NE(old.encode()->find(k11.c_str()), Message::npos);
}

// What is written is read back as it was, whatever it is.
TEST(SoapRequest, EscapesTextsAndSecrets) {
  const std::string_view texts[] = {
      "",           "a<b>&\"'",         "]]>",   "<?vmirror-secret 0?>",     "&lt;",   " blanks  ",
      "line\nline", "carriage\rreturn", "tab\t", "\xc3\xa4\xf0\x9f\x98\x80", "--><!--"};
  for (const std::string_view text : texts) {
    SoapRequest request(SoapVersion::v1_1);
    pugi::xml_node login = request.body().append_child("Login");
    // In an order of their own: secrets come into their places, not by their order.
    pugi::xml_node second = login.append_child("second"), first = login.append_child("first");
    request.set_secret(first, Secret("one"));
    request.set_secret(second, Secret(text));
    login.append_child("user").text() = std::string(text).c_str();
    const auto encoded = request.encode();
    ASSERT_TRUE(encoded) << encoded.error().text();
    const auto answer = SoapAnswer::parse(*encoded);
    ASSERT_TRUE(answer) << answer.error().text();
    const pugi::xml_node read = child(answer->body(), "Login");
    // pugixml leaves out texts of blanks alone; none is among these.
    EXPECT_EQ(text_of(read, "second"), text);
    EXPECT_EQ(text_of(read, "first"), "one");
    EXPECT_EQ(text_of(read, "user"), text);
  }
}

TEST(SoapRequest, RefusesTextsThatXmlCannotSay) {
  const char* texts[] = {"\x01",         "\x1b[0m",      "\xff",    "\xc0\x80",
                         "\xed\xa0\x80", "\xef\xbf\xbf", "cut \xc3"};
  for (const char* text : texts) {
    SoapRequest in_text(SoapVersion::v1_1), in_attribute(SoapVersion::v1_1),
        in_secret(SoapVersion::v1_1);
    in_text.body().append_child("name").text() = text;
    in_attribute.body().append_child("name").append_attribute("a") = text;
    in_secret.set_secret(in_secret.body().append_child("name"), Secret(text));
    for (const SoapRequest* request : {&in_text, &in_attribute, &in_secret}) {
      const auto encoded = request->encode();
      ASSERT_FALSE(encoded);
      EXPECT_EQ(encoded.error().kind, Error::Kind::invalid);
      EXPECT_EQ(encoded.error().text().find(text), std::string::npos);
    }
    EXPECT_EQ(in_text.encode().error().where, "element <name>");
    EXPECT_EQ(in_attribute.encode().error().where, "element <name>");
  }
}

TEST(XmlDocument, KeepsItsNodesWhenItMoves) {
  for (const char* text : {"<a>b</a>", "<a>a text that no string has room for in itself</a>"}) {
    auto parsed = XmlDocument::parse(message(text));
    ASSERT_TRUE(parsed);
    const pugi::xml_node root = parsed->root();
    const XmlDocument moved = std::move(*parsed);
    EXPECT_EQ(moved.root(), root);
    EXPECT_EQ(local_name(root), "a");
  }
}

TEST(SoapAnswer, ReadsFaults) {
  struct Row {
    std::string text;
    std::string code, subcode, words, detail;
  };
  const Row rows[] = {
      // As vSphere writes it.
      {envelope(
           k11,
           "<s:Fault><faultcode>ServerFaultCode</faultcode><faultstring>Cannot complete login"
           "</faultstring><detail><InvalidLoginFault xmlns=\"urn:vim25\"/></detail></s:Fault>"),
       "ServerFaultCode", "", "Cannot complete login", "InvalidLoginFault"},
      {envelope(k11, "<s:Fault><faultcode>s:Client</faultcode></s:Fault>"), "Client", "", "", ""},
      // As WS-Management has it.
      {envelope(
           k12,
           "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:A</s:Value>"
           "<s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Subcode></s:Code><s:Reason>"
           "<s:Text xml:lang=\"en\">too late &amp; gone</s:Text></s:Reason><s:Detail>"
           "<f:WSManFault xmlns:f=\"urn:f\"/></s:Detail></s:Fault>"),
       "Sender", "TimedOut", "too late & gone", "WSManFault"},
      {envelope(k12, "<s:Fault/>"), "", "", "", ""},
      {"<Envelope xmlns=\"" + k12 +
           "\"><Body><Fault><Code><Value>R</Value></Code></Fault></Body></Envelope>",
       "R", "", "", ""},
  };
  for (const Row& row : rows) {
    const auto answer = SoapAnswer::parse(message(row.text));
    ASSERT_TRUE(answer) << answer.error().text();
    ASSERT_TRUE(answer->fault()) << row.text;
    const SoapFault& fault = *answer->fault();
    EXPECT_EQ(fault.code, row.code);
    EXPECT_EQ(fault.subcode, row.subcode);
    EXPECT_EQ(fault.text, row.words);
    EXPECT_EQ(local_name(fault.detail.first_child()), row.detail);
  }
  // A fault of another namespace is somebody's own element.
  const auto other = SoapAnswer::parse(
      message(envelope(k11, "<Fault xmlns=\"urn:cars\"><part>axle</part></Fault>")));
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->fault());
  EXPECT_EQ(namespace_of(child(other->body(), "Fault").first_child()), "urn:cars");
}

TEST(SoapAnswer, AFaultIsAnErrorForPeople) {
  EXPECT_EQ(error_of({"Server", "", "no such port", {}}, "https://h/sdk").text(),
            "https://h/sdk: the server answers with a fault: no such port (Server)");
  EXPECT_EQ(error_of({"Sender", "AccessDenied", "", {}}, "h").text(),
            "h: the server answers with a fault: AccessDenied");
}

TEST(SoapAnswer, RefusesWhatIsNoMessage) {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; i++) text += "<a>";
    for (int i = 0; i < depth; i++) text += "</a>";
    return envelope(k11, text);
  };
  struct Row {
    std::string text;
    Error::Kind kind;
    const char* words;
  };
  const Row rows[] = {
      {"", Error::Kind::invalid, "no XML"},
      {"<", Error::Kind::invalid, "no XML"},
      {"<html><body>503</body></html>", Error::Kind::invalid, "no envelope"},
      {envelope("urn:other", ""), Error::Kind::invalid, "no envelope"},
      {"<Envelope xmlns=\"" + k11 + "\"/>", Error::Kind::invalid, "no body"},
      {envelope(k11, "<a>"), Error::Kind::invalid, "no XML"},
      {"<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" + envelope(k11, "<a>&e;</a>"),
       Error::Kind::invalid, "document type"},
      {"<!DOCTYPE x [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]>" + envelope(k11, "&b;"),
       Error::Kind::invalid, "document type"},
      {nested(kMaxXmlDepth), Error::Kind::exhausted, "100 elements"},
      {nested(200'000), Error::Kind::exhausted, "100 elements"},
  };
  for (const Row& row : rows) {
    const auto answer = SoapAnswer::parse(message(row.text));
    ASSERT_FALSE(answer) << row.text.substr(0, 100);
    EXPECT_EQ(answer.error().kind, row.kind) << row.text.substr(0, 100);
    EXPECT_NE(answer.error().what.find(row.words), std::string::npos) << answer.error().text();
  }
  EXPECT_TRUE(SoapAnswer::parse(message(nested(kMaxXmlDepth - 3))));
  // An entity that nobody declared stays the text that it is.
  const auto entity = SoapAnswer::parse(message(envelope(k11, "<a>&e;</a>")));
  ASSERT_TRUE(entity);
  EXPECT_EQ(text_of(entity->body(), "a"), "&e;");
}

}  // namespace
}  // namespace vmirror::net
