function Sync-VMirror {
    <#
    .SYNOPSIS
    Brings hosts to what a document of sessions asks for: makes, mends and removes sessions.
    .DESCRIPTION
    Fetches the desired sessions from an agent's API by HTTPS, or reads them from a file or an object; plans,
    applies and reports. Sessions of the document's owner that the document no longer has are removed; sessions of
    other owners (for example those of Set-VMirrorSession, whose owner is `hand`) are left alone. A document may be
    about more hosts than one: where a session's sensor is and its source is not, the sensor is made ready (standby).
    The document is described in docs/hyperv.md and by schema\sessions.schema.json in the module's folder. It is
    taken whole or not at all.
    No vmirror agent serves such documents yet: until one does, -Uri is for a web server of your own.
    .PARAMETER Uri
    Where the document is, https:// only. Without a query of its own ?host=NAME, or ?cluster=NAME, is added.
    .PARAMETER CertificateThumbprint
    The server's certificate must be this one (SHA-1 or SHA-256), whoever signed it. Without it the certificate
    must be valid, be trusted by this host, and name the server.
    .PARAMETER Token
    A bearer token that the server wants.
    .PARAMETER Certificate
    A client certificate with its private key that the server wants.
    .PARAMETER TimeoutSec
    How long the server may take.
    .PARAMETER Path
    A file with the document, UTF-8.
    .PARAMETER InputObject
    The document: JSON text, or an object.
    .PARAMETER ComputerName
    The hosts; this one, if none is named.
    .PARAMETER Cluster
    All nodes of this failover cluster, in parallel; `.` is the cluster that this host is in.
    .PARAMETER Credential
    The account to log on to the hosts with; yours, if none is given.
    .PARAMETER ThrottleLimit
    How many hosts are worked on at one time.
    .INPUTS
    System.String (JSON text) or an object.
    .OUTPUTS
    VMirror.Session, one for each session and host that it is about.
    .EXAMPLE
    Sync-VMirror -Path C:\vmirror\sessions.json -WhatIf

    Shows what the document would change on this host.
    .EXAMPLE
    Sync-VMirror -Uri https://sensor1:9480/hyperv/sessions -CertificateThumbprint $thumbprint -Cluster .

    Fetches the document and brings all nodes of this host's cluster to it.
    .EXAMPLE
    Get-Content -Raw sessions.json | Sync-VMirror | Where-Object State -ne ready

    Shows the sessions that are not ready, with the reasons.
    .LINK
    about_VMirror
    #>
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Uri')]
    [OutputType('VMirror.Session')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ParameterSetName = 'Uri')]
        [uri] $Uri,
        [Parameter(ParameterSetName = 'Uri')]
        [string] $CertificateThumbprint = '',
        [Parameter(ParameterSetName = 'Uri')]
        [securestring] $Token,
        [Parameter(ParameterSetName = 'Uri')]
        [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate,
        [Parameter(ParameterSetName = 'Uri')]
        [ValidateRange(1, 3600)]
        [int] $TimeoutSec = 30,
        [Parameter(Mandatory = $true, ParameterSetName = 'Path')]
        [string] $Path,
        [Parameter(Mandatory = $true, ParameterSetName = 'InputObject', ValueFromPipeline = $true)]
        [object] $InputObject,
        [string[]] $ComputerName,
        [string] $Cluster,
        [pscredential] $Credential,
        [ValidateRange(1, 64)]
        [int] $ThrottleLimit = 16
    )
    begin { $objects = New-Object 'System.Collections.Generic.List[object]' }
    process { if ($PSCmdlet.ParameterSetName -eq 'InputObject') { $objects.Add($InputObject) } }
    end {
        try {
            if ($ComputerName -and $Cluster) { throw 'give -ComputerName or -Cluster, not both' }
            $from, $text = switch ($PSCmdlet.ParameterSetName) {
                'Path' {
                    $Path
                    Get-Content -LiteralPath $Path -Raw -Encoding UTF8 -ErrorAction Stop
                }
                'InputObject' {
                    if ($objects.Count -ne 1) { throw "one document is needed, $($objects.Count) came (Get-Content -Raw)" }
                    'the document'
                    if ($InputObject -is [string]) { $InputObject } else { $InputObject | ConvertTo-Json -Depth 8 }
                }
                'Uri' {
                    $address = Add-HostQuery -Uri $Uri -ComputerName $ComputerName -Cluster $Cluster
                    "$address"
                    Invoke-AgentRequest -Uri $address -Thumbprint $CertificateThumbprint -Token $Token `
                        -Certificate $Certificate -TimeoutSec $TimeoutSec
                }
            }
            $document = ConvertFrom-SessionDocument -Text "$text" -From $from
            $nodes = @(Get-TargetNode -ComputerName $ComputerName -Cluster $Cluster -Credential $Credential)
        } catch {
            $text = $_.Exception.Message
            $PSCmdlet.ThrowTerminatingError((New-ErrorRecord -Message $text -Id 'Document' -Category 'InvalidData'))
        }
        Invoke-Change -Cmdlet $PSCmdlet -Node $nodes -Sessions $document.Sessions `
            -Scope (New-OwnerScope -Owner $document.Owner) -Alone $false -ThrottleLimit $ThrottleLimit `
            -Where $(if ($Cluster) { $Cluster } else { @($nodes | ForEach-Object { $_.Name }) -join ', ' })
    }
}
