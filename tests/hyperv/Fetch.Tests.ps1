# at least: 28 tests
# Sync-VMirror -Uri against real TLS servers on loopback.
BeforeDiscovery {
    $failures = @(
        @{ Case = 'a certificate that nobody signed'; At = 'self'; Path = 'sessions'
            Says = '*localhost:*not trusted*-CertificateThumbprint*' }
        @{ Case = 'a certificate of another host'; At = 'other'; Path = 'sessions'; Says = '*localhost:*not trusted: *NameMismatch*' }
        @{ Case = 'an expired certificate'; At = 'expired'; Path = 'sessions'; Says = '*localhost:*not trusted: *NotTimeValid*' }
        @{ Case = 'no TLS'; At = 'plain'; Path = 'sessions'; Says = '*localhost:*no TLS connection*' }
        @{ Case = 'no token'; At = 'good'; Path = 'token'; Says = '*401*-Token*' }
        @{ Case = 'no client certificate'; At = 'good'; Path = 'client'; Says = '*403*' }
        @{ Case = 'no such path'; At = 'good'; Path = 'nothing'; Says = '*404, there is no /nothing*-Path*' }
        @{ Case = 'a redirection'; At = 'good'; Path = 'moved'; Says = '*302, it points elsewhere*' }
        @{ Case = 'a server error'; At = 'good'; Path = 'status/503'; Says = '*status 503*' }
        @{ Case = 'an endless answer'; At = 'good'; Path = 'big'; Says = '*longer than 4194304 bytes*' }
        @{ Case = 'a web page'; At = 'good'; Path = 'html'; Says = '*no JSON*' }
    )
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    . (Join-Path $PSScriptRoot 'support/Server.ps1')
    $server = Start-TestServer
    function Get-Address { param([string] $Name, [string] $Path) "https://localhost:$($server.Port.$Name)/$Path" }
    $document = '{"vmirror": 1, "sessions": [{"name": "dc1", "source": {"vm": "dc1"},
        "destination": {"vm": "SENSOR", "adapter": "Monitor"}}]}'
    $null = Invoke-RestMethod -Method Put -Uri (Get-Address good sessions) -Body $document -SkipCertificateCheck
}
AfterAll { Stop-TestServer $server }

Describe 'Fetch' {
    BeforeEach {
        $null = New-StandInWorld
        $null = New-TestHost
    }

    It 'takes a document from a server whose certificate the machine trusts' {
        (Sync-VMirror -Uri (Get-Address good sessions)).State | Should -Be 'ready'
        $seen = Invoke-RestMethod -Uri (Get-Address good seen) -SkipCertificateCheck
        $seen.queries[-2] | Should -Be "host=$([uri]::EscapeDataString([Environment]::MachineName))"
    }
    It 'tells which host or cluster asks, unless the address says it' {
        (Get-StandInWorld).Cluster = 'hvc1'
        $null = Sync-VMirror -Uri (Get-Address good sessions) -Cluster hvc1
        $null = Sync-VMirror -Uri (Get-Address good sessions) -ComputerName hv1
        $null = Sync-VMirror -Uri (Get-Address good 'sessions?of=me') -ComputerName hv1
        $seen = Invoke-RestMethod -Uri (Get-Address good seen) -SkipCertificateCheck
        $seen.queries[-4..-2] | Should -Be @('cluster=hvc1', 'host=hv1', 'of=me')
    }
    It 'takes the certificate <Name> by its <Hash> thumbprint' -ForEach @(
        @{ Name = 'self'; Hash = 'sha256' }, @{ Name = 'self'; Hash = 'sha1' }, @{ Name = 'other'; Hash = 'sha256' },
        @{ Name = 'expired'; Hash = 'sha256' }, @{ Name = 'good'; Hash = 'sha1' }
    ) {
        $thumbprint = Get-TestThumbprint $Name $Hash
        (Sync-VMirror -Uri (Get-Address $Name sessions) -CertificateThumbprint $thumbprint).State | Should -Be 'ready'
        (Sync-VMirror -Uri (Get-Address $Name sessions) -CertificateThumbprint $thumbprint.Replace(':', '').ToLower()).State |
            Should -Be 'ready'
    }
    It 'refuses a trusted certificate with another thumbprint' {
        { Sync-VMirror -Uri (Get-Address good sessions) -CertificateThumbprint (Get-TestThumbprint self) } |
            Should -Throw "*thumbprint $((Get-TestThumbprint good).Replace(':', '')), another than*"
    }
    It 'keeps one request''s trust from the next' {
        $null = Sync-VMirror -Uri (Get-Address self sessions) -CertificateThumbprint (Get-TestThumbprint self)
        { Sync-VMirror -Uri (Get-Address self sessions) } | Should -Throw '*not trusted*'
        $null = Sync-VMirror -Uri (Get-Address good sessions)
        { Sync-VMirror -Uri (Get-Address self sessions) } | Should -Throw '*not trusted*'
    }
    It 'shows the thumbprint of what it does not trust, to compare' {
        { Sync-VMirror -Uri (Get-Address self sessions) } |
            Should -Throw "*thumbprint $((Get-TestThumbprint self).Replace(':', ''))*"
    }
    It 'sends a token' {
        $token = ConvertTo-SecureString 'secret' -AsPlainText -Force
        (Sync-VMirror -Uri (Get-Address good token) -Token $token).State | Should -Be 'ready'
        $token = ConvertTo-SecureString 'wrong' -AsPlainText -Force
        { Sync-VMirror -Uri (Get-Address good token) -Token $token } | Should -Throw '*401*'
    }
    It 'shows a client certificate' {
        $certificate = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 @(
            (Join-Path $env:VMIRROR_CERTIFICATES 'client.pfx'), 'test')
        (Sync-VMirror -Uri (Get-Address good client) -Certificate $certificate).State | Should -Be 'ready'
    }
    It 'tells of <Case>, and changes nothing' -ForEach $failures {
        { Sync-VMirror -Uri (Get-Address $At $Path) } | Should -Throw $Says
        Get-ChangeCount | Should -Be 0
    }
    It 'tells of a server that takes too long, that is not there, whose name nobody knows' {
        { Sync-VMirror -Uri (Get-Address good slow) -TimeoutSec 1 } | Should -Throw '*no answer within 1 s*'
        { Sync-VMirror -Uri 'https://localhost:1/' } | Should -Throw '*localhost:1: no connection*'
        { Sync-VMirror -Uri 'https://no.such.host.invalid/' } | Should -Throw '*no.such.host.invalid:443: the name can''t be resolved*'
    }
    It 'takes no other address: <Uri>' -ForEach @(
        @{ Uri = 'http://localhost/' }, @{ Uri = 'file:///etc/passwd' }, @{ Uri = 'sessions.json' }
    ) {
        { Sync-VMirror -Uri $Uri } | Should -Throw '*https:// address is needed*'
    }
    It 'takes no thumbprint that is none' {
        { Sync-VMirror -Uri (Get-Address good sessions) -CertificateThumbprint 'abc' } | Should -Throw "*'abc' is no thumbprint*"
    }
}
