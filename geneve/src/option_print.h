// Printers for the values of known options. Each is called with data of a registered length only.
#pragma once

#include "geneve/bytes.h"
#include "geneve/text.h"

namespace geneve::option_print {

void LinuxGroHint(ByteSpan data, TextWriter& out);
void Ovn(ByteSpan data, TextWriter& out);
void IntMd(ByteSpan data, TextWriter& out);
void IntMx(ByteSpan data, TextWriter& out);
void AwsEndpoint(ByteSpan data, TextWriter& out);
void AwsAttachment(ByteSpan data, TextWriter& out);
void AwsFlowCookie(ByteSpan data, TextWriter& out);
void OxideExternal(ByteSpan data, TextWriter& out);
void OxideMulticast(ByteSpan data, TextWriter& out);
void OxideMss(ByteSpan data, TextWriter& out);
void GoogleNetwork(ByteSpan data, TextWriter& out);
void GoogleEndpoint(ByteSpan data, TextWriter& out);
void GoogleProfile(ByteSpan data, TextWriter& out);
void CiliumDsr(ByteSpan data, TextWriter& out);
void CPacket(ByteSpan data, TextWriter& out);
void LemanIdentity(ByteSpan data, TextWriter& out);
void LemanPacket(ByteSpan data, TextWriter& out);
void LemanQos(ByteSpan data, TextWriter& out);
void LemanChain(ByteSpan data, TextWriter& out);
void LemanTelemetry(ByteSpan data, TextWriter& out);

}  // namespace geneve::option_print
