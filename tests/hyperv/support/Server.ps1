# The HTTPS servers of server.py, for a file's tests. Dot-sourced in BeforeAll; end it with Stop-TestServer.
function Start-TestServer {
    $start = New-Object System.Diagnostics.ProcessStartInfo
    $start.FileName = $env:VMIRROR_PYTHON
    $start.Arguments = '"{0}" "{1}"' -f (Join-Path $PSScriptRoot 'server.py'), $env:VMIRROR_CERTIFICATES
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $process = [System.Diagnostics.Process]::Start($start)
    $ports = $process.StandardOutput.ReadLine() | ConvertFrom-Json
    if ($null -eq $ports) { throw 'server.py did not start' }
    @{ Process = $process; Port = $ports }
}

function Stop-TestServer {
    param($Server)
    if ($null -eq $Server) { return }
    $Server.Process.StandardInput.Close()
    if (-not $Server.Process.WaitForExit(10000)) { $Server.Process.Kill() }
}

# The thumbprint of a certificate of the tests, as openssl tells it.
function Get-TestThumbprint {
    param([string] $Name, [string] $Hash = 'sha256')
    (& openssl x509 -noout -fingerprint "-$Hash" -in (Join-Path $env:VMIRROR_CERTIFICATES "$Name.pem")) -replace '^.*='
}
