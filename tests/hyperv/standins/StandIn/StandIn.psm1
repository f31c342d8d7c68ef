# The world of the stand-in modules: hosts with switches and VMs, kept for the whole process, so that every
# runspace of a pool sees the same; a log of all calls; faults.
#
#   $world.Hosts     NAME -> @{ Name; Switches; VMs; Tasks }
#   $world.Log       each call: Computer, Command, Changes (true: it changed the host), Text
#   $world.Delay     milliseconds that each call takes
#   $world.Dead      NAME -> true: nothing answers there
#   $world.Denied    NAME -> true: access denied there
#   $world.FailAt    NAME -> n: the nth changing call from now on fails there, and the host is dead after it
Set-StrictMode -Version 3.0

function Get-StandInWorld { [AppDomain]::CurrentDomain.GetData('vmirror.standin') }

function New-StandInWorld {
    param([string] $Local = 'hv1')
    $world = [hashtable]::Synchronized(@{
            Local = $Local; Hosts = [hashtable]::Synchronized(@{}); Delay = 0; Cluster = ''; NodeState = @{}
            Log = New-Object 'System.Collections.Concurrent.ConcurrentQueue[object]'
            Dead = [hashtable]::Synchronized(@{}); Denied = [hashtable]::Synchronized(@{})
            FailAt = [hashtable]::Synchronized(@{}); Counters = [hashtable]::Synchronized(@{})
        })
    [AppDomain]::CurrentDomain.SetData('vmirror.standin', $world)
    $world
}

function Add-StandInHost {
    param([string] $Name)
    $made = [hashtable]::Synchronized(@{
            Name = $Name; Switches = New-Object 'System.Collections.Generic.List[object]'
            VMs = New-Object 'System.Collections.Generic.List[object]'; Tasks = [ordered]@{}
            Captures = [ordered]@{}; Traffic = [ordered]@{}
        })
    (Get-StandInWorld).Hosts[$Name] = $made
    $made
}

function Add-StandInSwitch {
    param($To, [string] $Name, [string] $Type = 'External', [string] $Notes = '',
        [string] $Description = 'Intel(R) Ethernet Controller X710', [bool] $Iov = $false, [string] $NetAdapter = '')
    $made = @{
        Id = [guid]::NewGuid(); Name = $Name; SwitchType = $Type; Notes = $Notes; Capture = $false; Feature = $null
        NetAdapterInterfaceDescription = $(if ($Type -eq 'External') { $Description } else { '' })
        IovEnabled = $Iov; NetAdapter = $NetAdapter; AllowManagementOS = $true; SoftwareRsc = $true
    }
    $To.Switches.Add($made)
    $made
}

function Add-StandInVM {
    param($To, [string] $Name, [string] $Notes = '', [string] $State = 'Running')
    $made = @{
        Id = [guid]::NewGuid(); Name = $Name; Notes = $Notes; State = $State
        Adapters = New-Object 'System.Collections.Generic.List[object]'
    }
    $To.VMs.Add($made)
    $made
}

function Add-StandInAdapter {
    param($VM, [string] $Name, [string] $Switch = '', [string] $Mac = '', [int] $IovWeight = 0)
    $world = Get-StandInWorld
    $world.Counters['mac'] = [int]$world.Counters['mac'] + 1
    if ($Mac -eq '') { $Mac = '00155D{0:X6}' -f [int]$world.Counters['mac'] }
    $made = @{
        Id = "Microsoft:$("$($VM.Id)".ToUpper())\$([guid]::NewGuid().ToString().ToUpper())"
        Name = $Name; Switch = $Switch; Mac = $Mac; IovWeight = $IovWeight; Mode = 'None'
        Vlan = @{ OperationMode = 'Untagged'; AccessVlanId = 0; NativeVlanId = 0; Allowed = '' }
    }
    $VM.Adapters.Add($made)
    $made
}

# A VM with its settings goes to another host, as a live migration takes it.
function Move-StandInVM {
    param([string] $Name, [string] $From, [string] $To)
    $hosts = (Get-StandInWorld).Hosts
    $vm = @($hosts[$From].VMs | Where-Object { $_.Name -eq $Name })[0]
    $null = $hosts[$From].VMs.Remove($vm)
    $hosts[$To].VMs.Add($vm)
}

# Everything that a host has, as text: two are equal if and only if every setting is.
function Get-StandInPicture {
    param([string] $Name)
    $one = (Get-StandInWorld).Hosts[$Name]
    @(foreach ($switch in @($one.Switches | Sort-Object { $_.Name })) {
            $feature = 'none'
            if ($switch.Feature) {
                $feature = @($switch.Feature.Keys | Sort-Object | ForEach-Object { "$_=$($switch.Feature[$_])" }) -join ' '
            }
            "switch $($switch.Name) $($switch.SwitchType) on '$($switch.NetAdapter)' capture=$($switch.Capture) " +
            "feature: $feature notes='$($switch.Notes)'"
        }
        foreach ($vm in @($one.VMs | Sort-Object { $_.Name })) {
            "vm $($vm.Name) $($vm.State) notes='$($vm.Notes)'"
            foreach ($adapter in $vm.Adapters) {
                "adapter $($vm.Name)/$($adapter.Name) on $($adapter.Switch) mode=$($adapter.Mode) vlan=" +
                "$($adapter.Vlan.OperationMode) $($adapter.Vlan.AccessVlanId) $($adapter.Vlan.NativeVlanId) $($adapter.Vlan.Allowed)"
            }
        }) -join "`n"
}

# The same without the notes: what the switch and the VMs do.
function Get-StandInSetting {
    param([string] $Name)
    (Get-StandInPicture $Name) -replace "(?s) notes='[^']*'", ''
}

function Get-StandInLog { @((Get-StandInWorld).Log.ToArray()) }

# Every stand-in command begins with this: it takes its time, is logged, and may fail. Returns the host.
function Enter-StandIn {
    param($Cmdlet, [string] $Computer, [switch] $Changes, [string] $Text = '')
    $world = Get-StandInWorld
    $name = if ($Computer -in '', '.', 'localhost') { $world.Local } else { $Computer }
    if ($world.Delay -gt 0) { [System.Threading.Thread]::Sleep($world.Delay) }
    $command = $Cmdlet.MyInvocation.MyCommand.Name
    $entry = [pscustomobject]@{ Computer = $name; Command = $command; Changes = [bool]$Changes; Text = $Text }
    if ($world.Denied[$name]) {
        Write-StandInError $Cmdlet 'AccessDenied' 'PermissionDenied' ('You do not have the required permission to complete ' +
            "this task. Contact the administrator of the authorization policy for the computer '$name'.") -Throw
    }
    if ($world.Dead[$name] -or -not $world.Hosts.Contains($name)) {
        Write-StandInError $Cmdlet 'ObjectNotFound' 'ObjectNotFound' ('Hyper-V encountered an error trying to access an ' +
            "object on computer '$name' because the object was not found. The object might have been deleted, or you " +
            'might not have permission to perform the task. Verify that the Virtual Machine Management service on the ' +
            'computer is running. If the service is running, try to perform the task again by using Run as ' +
            'Administrator.') -Throw
    }
    if ($Changes -and $world.FailAt.Contains($name)) {
        $world.FailAt[$name] = $world.FailAt[$name] - 1
        if ($world.FailAt[$name] -le 0) {
            $world.FailAt.Remove($name)
            $world.Dead[$name] = $true
            Write-StandInError $Cmdlet 'OperationFailed' 'NotSpecified' 'The operation failed.' -Throw
        }
    }
    $world.Log.Enqueue($entry)
    $world.Hosts[$name]
}

# An error as Hyper-V's commands make it: id ID,CLASS; -Throw ends the command.
function Write-StandInError {
    param($Cmdlet, [string] $Id, [string] $Category, [string] $Message, [switch] $Throw)
    $class = $Cmdlet.MyInvocation.MyCommand.Name -replace '-', ''
    $record = New-Object 'System.Management.Automation.ErrorRecord' (New-Object 'System.Exception' $Message),
    "$Id,Microsoft.HyperV.PowerShell.Commands.$class", $Category, $null
    if ($Throw) { $Cmdlet.ThrowTerminatingError($record) }
    $Cmdlet.WriteError($record)
}

Export-ModuleMember -Function *-StandIn*
