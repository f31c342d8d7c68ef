# Stand-in for Microsoft's module NetEventPacketCapture: one capture session a host; Stop writes what the host's
# Traffic has for the addresses of the filter, in a form that the stand-in Get-WinEvent reads.
Set-StrictMode -Version 3.0
Import-Module (Join-Path $PSScriptRoot '../StandIn/StandIn.psm1')

function Get-Capture {
    param($Cmdlet, $Computer, [string] $Name)
    if ($Computer.Captures.Contains($Name)) { return $Computer.Captures[$Name] }
    $text = "No MSFT_NetEventSession objects found with property 'Name' equal to '$Name'.  Verify the value of the property and retry."
    $Cmdlet.ThrowTerminatingError((New-Object 'System.Management.Automation.ErrorRecord' (New-Object 'System.Exception' $text),
            'CmdletizationQuery_NotFound_Name', 'ObjectNotFound', $null))
}

function New-NetEventSession {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $Name,
        [ValidateSet('RealtimeRPC', 'SaveToFile', 'RealtimeLocal')] [string] $CaptureMode, [string] $LocalFilePath,
        [uint32] $MaxFileSize, $CimSession)
    $computer = Enter-StandIn $PSCmdlet ''
    if ($computer.Captures.Count) { throw 'The requested operation cannot be performed: a session exists already.' }
    $computer.Captures[$Name] = @{ Name = $Name; File = $LocalFilePath; Addresses = @(); Running = $false }
}

function Get-NetEventSession {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string] $Name, $CimSession)
    $computer = Enter-StandIn $PSCmdlet ''
    foreach ($capture in $computer.Captures.Values) { [pscustomobject]@{ Name = $capture.Name } }
}

function Add-NetEventPacketCaptureProvider {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $SessionName, [byte] $Level,
        [ValidateSet('Physical', 'Switch', 'BothPhysicalAndSwitch')] [string] $CaptureType, [string[]] $LinkLayerAddress,
        [uint16] $TruncationLength, [ValidateSet('Ingress', 'Egress', 'IngressAndEgress')] [string] $VmCaptureDirection,
        $CimSession)
    $computer = Enter-StandIn $PSCmdlet ''
    foreach ($address in $LinkLayerAddress) {
        if ($address -notmatch '^([0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}$') { throw "The parameter is incorrect: $address" }
    }
    (Get-Capture $PSCmdlet $computer $SessionName).Addresses = @($LinkLayerAddress | ForEach-Object { $_.Replace('-', '') })
}

function Start-NetEventSession {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $Name, $CimSession)
    (Get-Capture $PSCmdlet (Enter-StandIn $PSCmdlet '') $Name).Running = $true
}

function Stop-NetEventSession {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $Name, $CimSession)
    $computer = Enter-StandIn $PSCmdlet ''
    $capture = Get-Capture $PSCmdlet $computer $Name
    $events = @([pscustomobject]@{ Id = 1002; Properties = @([pscustomobject]@{ Value = 1 }) })
    foreach ($mac in $capture.Addresses) {
        foreach ($frame in @(if ($computer.Traffic.Contains($mac)) { $computer.Traffic[$mac] })) {
            $events += [pscustomobject]@{ Id = 1003; Properties = @([pscustomobject]@{ Value = [uint32]1 }
                    [pscustomobject]@{ Value = [uint32]$frame.Length }, [pscustomobject]@{ Value = [byte[]]$frame }) }
        }
    }
    $events | Export-Clixml -LiteralPath $capture.File -Depth 5
    $capture.Running = $false
}

function Remove-NetEventSession {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $Name, $CimSession)
    $computer = Enter-StandIn $PSCmdlet ''
    $null = Get-Capture $PSCmdlet $computer $Name
    $computer.Captures.Remove($Name)
}
