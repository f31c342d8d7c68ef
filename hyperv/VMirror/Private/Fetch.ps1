# The document of desired sessions, from the agent's API by HTTPS. An edge.
#
# HttpWebRequest is what Windows PowerShell 5.1 and PowerShell 7 both have with a certificate check of one's own
# for one request. The check is compiled: a script block can't run on the thread that does the handshake.

$script:PinSource = @'
using System;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
namespace VMirror
{
    // Accepts one certificate by its thumbprint (SHA-1 or SHA-256, hexadecimal), or what the machine's trust says.
    public sealed class CertificatePin
    {
        private readonly string expected;
        public string Seen = "";
        public string Problem = "";
        public CertificatePin(string thumbprint) { expected = thumbprint; }
        public bool Check(object sender, X509Certificate certificate, X509Chain chain, SslPolicyErrors errors)
        {
            if (certificate == null) { Problem = "no certificate"; return false; }
            byte[] raw = certificate.GetRawCertData();
            string sha1, sha256;
            using (SHA1 hash = SHA1.Create()) { sha1 = Hex(hash.ComputeHash(raw)); }
            using (SHA256 hash = SHA256.Create()) { sha256 = Hex(hash.ComputeHash(raw)); }
            Seen = sha256;
            if (expected.Length != 0)
            {
                if (expected == sha1 || expected == sha256) { return true; }
                Problem = "thumbprint";
                return false;
            }
            if (errors == SslPolicyErrors.None) { return true; }
            Problem = errors.ToString();
            if (chain != null)
            {
                foreach (X509ChainStatus status in chain.ChainStatus) { Problem += ", " + status.Status; }
            }
            return false;
        }
        private static string Hex(byte[] bytes) { return BitConverter.ToString(bytes).Replace("-", ""); }
    }
}
'@

function New-CertificatePin {
    param([string] $Thumbprint)
    if (-not ('VMirror.CertificatePin' -as [type])) { Add-Type -TypeDefinition $script:PinSource }
    New-Object 'VMirror.CertificatePin' (ConvertTo-Thumbprint $Thumbprint)
}

# 'ab:CD 12...' -> hexadecimal capitals. Throws if it is neither SHA-1 (40 digits) nor SHA-256 (64). Pure.
function ConvertTo-Thumbprint {
    param([AllowEmptyString()] [string] $Text)
    $plain = ($Text -replace '[^0-9A-Fa-f]', '').ToUpperInvariant()
    if ($Text -ne '' -and $plain.Length -ne 40 -and $plain.Length -ne 64) {
        throw "'$Text' is no thumbprint (40 hexadecimal digits of SHA-1, or 64 of SHA-256)"
    }
    $plain
}

# HTTPS request -> its body as text. $Body: sent by POST, if given. Throws host, cause, remedy.
function Invoke-AgentRequest {
    param([uri] $Uri, [string] $Thumbprint = '', [securestring] $Token,
        [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate, [string] $Body = '',
        [int] $TimeoutSec = 30)
    $ErrorActionPreference = 'Stop'
    if (-not $Uri.IsAbsoluteUri -or $Uri.Scheme -ne 'https') {
        throw "$($Uri): an https:// address is needed (the document decides what is mirrored)"
    }
    # Older Windows does not offer TLS 1.2 by itself; 0 leaves the choice to the system.
    $offered = [System.Net.ServicePointManager]::SecurityProtocol
    if ([int]$offered -ne 0 -and -not ($offered -band [System.Net.SecurityProtocolType]::Tls12)) {
        [System.Net.ServicePointManager]::SecurityProtocol = $offered -bor [System.Net.SecurityProtocolType]::Tls12
    }
    $pin = New-CertificatePin $Thumbprint
    $request = [System.Net.HttpWebRequest]([System.Net.WebRequest]::Create($Uri))
    $check = [Delegate]::CreateDelegate([System.Net.Security.RemoteCertificateValidationCallback], $pin, 'Check')
    $request.ServerCertificateValidationCallback = $check
    $request.Timeout = $TimeoutSec * 1000
    $request.ReadWriteTimeout = $TimeoutSec * 1000
    $request.AllowAutoRedirect = $false  # A redirection would carry the token elsewhere.
    $request.UserAgent = 'VMirror'
    $request.Accept = 'application/json'
    if ($Certificate) { $null = $request.ClientCertificates.Add($Certificate) }
    if ($Token) {
        $plain = (New-Object 'System.Management.Automation.PSCredential' 'token', $Token).GetNetworkCredential().Password
        $request.Headers.Add('Authorization', "Bearer $plain")
    }
    try {
        if ($Body) {
            $request.Method = 'POST'
            $request.ContentType = 'application/json'
            $bytes = [System.Text.Encoding]::UTF8.GetBytes($Body)
            $request.ContentLength = $bytes.Length
            $stream = $request.GetRequestStream()
            try { $stream.Write($bytes, 0, $bytes.Length) } finally { $stream.Dispose() }
        }
        $response = $request.GetResponse()
    } catch {
        $web = $_.Exception
        while ($web -and $web -isnot [System.Net.WebException]) { $web = $web.InnerException }
        if ($null -eq $web) { throw "$($Uri.Host): $($_.Exception.Message)" }
        throw (Get-RequestErrorText -Uri $Uri -WebError $web -Pin $pin -TimeoutSec $TimeoutSec)
    }
    try {
        $code = [int]$response.StatusCode
        if ($code -lt 200 -or $code -gt 299) { throw (Get-StatusErrorText -Uri $Uri -Code $code) }
        Read-LimitedText -Stream $response.GetResponseStream() -Uri $Uri
    } finally { $response.Dispose() }
}

# A body as text, at most the bound of bytes: the sender does not decide how much memory this takes.
function Read-LimitedText {
    param([System.IO.Stream] $Stream, [uri] $Uri)
    $buffer = New-Object 'byte[]' 65536
    $whole = New-Object 'System.IO.MemoryStream'
    while (($got = $Stream.Read($buffer, 0, $buffer.Length)) -gt 0) {
        $whole.Write($buffer, 0, $got)
        if ($whole.Length -gt $script:Limit.DocumentBytes) {
            throw "$($Uri.Host): the answer is longer than $($script:Limit.DocumentBytes) bytes (is it the agent's API?)"
        }
    }
    [System.Text.Encoding]::UTF8.GetString($whole.ToArray())
}

function Get-RequestErrorText {
    param([uri] $Uri, [System.Net.WebException] $WebError, $Pin, [int] $TimeoutSec)
    $at = "$($Uri.Host):$($Uri.Port)"
    if ($Pin.Problem -eq 'thumbprint') {
        return "$($at): its certificate has the thumbprint $($Pin.Seen), another than -CertificateThumbprint says " +
            '(was the certificate renewed? compare it on the agent''s host)'
    }
    if ($Pin.Problem) {
        return "$($at): its certificate is not trusted: $($Pin.Problem) (add its CA to this host's trusted roots, or " +
            "compare the thumbprint $($Pin.Seen) on the agent's host and give it as -CertificateThumbprint)"
    }
    if ($WebError.Response) { return Get-StatusErrorText -Uri $Uri -Code ([int]$WebError.Response.StatusCode) }
    $inner = $WebError
    while ($inner.InnerException) { $inner = $inner.InnerException }
    if ("$($WebError.Status)" -eq 'Timeout') { return "$($at): no answer within $TimeoutSec s (is it up? -TimeoutSec)" }
    # 5.1 tells by Status, 7 by what is inside.
    if ("$($WebError.Status)" -eq 'NameResolutionFailure' -or ($inner -is [System.Net.Sockets.SocketException] -and
            "$($inner.SocketErrorCode)" -in 'HostNotFound', 'TryAgain', 'NoData')) {
        return "$($at): the name can't be resolved (check the address and DNS)"
    }
    if ($inner -is [System.Net.Sockets.SocketException]) {
        return "$($at): no connection: $($inner.Message) (is it up, and its port open in the firewall?)"
    }
    "$($at): no TLS connection: $($inner.Message) (is it an HTTPS port, and does it speak TLS 1.2?)"
}

function Get-StatusErrorText {
    param([uri] $Uri, [int] $Code)
    $at = "$($Uri.Host):$($Uri.Port)"
    switch ($Code) {
        401 { return "$($at): 401, it does not know who asks (-Token, or -Certificate)" }
        403 { return "$($at): 403, the token or certificate may not read sessions (ask who runs the agent)" }
        404 { return "$($at): 404, there is no $($Uri.AbsolutePath) (does this agent serve sessions for Hyper-V? else -Path)" }
    }
    if ($Code -ge 300 -and $Code -le 399) { return "$($at): $Code, it points elsewhere (give the address it points to)" }
    "$($at): it answered with the status $Code (the agent's log says why)"
}

# Which host or cluster asks, for an address without a query of its own. Pure.
function Add-HostQuery {
    param([uri] $Uri, [string[]] $ComputerName, [string] $Cluster)
    if (-not $Uri.IsAbsoluteUri -or $Uri.Query) { return $Uri }
    $query = if ($Cluster -and $Cluster -ne '.') { "cluster=$([uri]::EscapeDataString($Cluster))" } else {
        $names = @($ComputerName | Where-Object { $_ })
        if ($names.Count -eq 0) { $names = @([Environment]::MachineName) }
        @($names | ForEach-Object { "host=$([uri]::EscapeDataString($_))" }) -join '&'
    }
    [uri]"$($Uri.AbsoluteUri)?$query"
}
