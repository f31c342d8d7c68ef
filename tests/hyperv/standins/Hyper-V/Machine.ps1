# VMs and their network adapters.

function New-VMObject {
    param($Computer, $VM)
    [pscustomobject]@{
        PSTypeName = 'Microsoft.HyperV.PowerShell.VirtualMachine'
        Name = $VM.Name; VMName = $VM.Name; Id = $VM.Id; VMId = $VM.Id; State = $VM.State; Notes = $VM.Notes
        ComputerName = $Computer.Name; Generation = 2
    }
}

function New-AdapterObject {
    param($Computer, $VM, $Adapter)
    $switch = @($Computer.Switches | Where-Object { $_.Name -eq $Adapter.Switch -and $Adapter.Switch })
    $list = @(foreach ($part in $Adapter.Vlan.Allowed -split ',') {
            if ($part -match '^(\d+)-(\d+)$') { [int]$Matches[1]..[int]$Matches[2] } elseif ($part) { [int]$part }
        })
    [pscustomobject]@{
        PSTypeName = 'Microsoft.HyperV.PowerShell.VMNetworkAdapter'
        Name = $Adapter.Name; Id = $Adapter.Id; VMName = $VM.Name; VMId = $VM.Id; ComputerName = $Computer.Name
        SwitchName = $Adapter.Switch
        SwitchId = $(if ($switch.Count) { $switch[0].Id } else { [guid]::Empty })
        MacAddress = $Adapter.Mac; PortMirroringMode = $Adapter.Mode; IovWeight = $Adapter.IovWeight
        VlanSetting = [pscustomobject]@{
            PSTypeName = 'Microsoft.HyperV.PowerShell.VMNetworkAdapterVlanSetting'
            OperationMode = $Adapter.Vlan.OperationMode; AccessVlanId = $Adapter.Vlan.AccessVlanId
            NativeVlanId = $Adapter.Vlan.NativeVlanId; AllowedVlanIdList = [int[]]$list
        }
        IsManagementOs = $false; IsLegacy = $false; ClusterMonitored = $true; Status = @('Ok')
    }
}

# The kept VM and adapter behind an object that a command gave out.
function Find-VM {
    param($Computer, $Object)
    @($Computer.VMs | Where-Object { $_.Id -eq $Object.Id })[0]
}

function Find-Adapter {
    param($Cmdlet, $Computer, $Object)
    foreach ($vm in $Computer.VMs) {
        foreach ($adapter in $vm.Adapters) { if ($adapter.Id -eq $Object.Id) { return $adapter } }
    }
    Write-StandInError $Cmdlet 'ObjectNotFound' 'ObjectNotFound' ('Hyper-V encountered an error trying to access an object ' +
        "on computer '$($Computer.Name)' because the object was not found. The object might have been deleted, or you " +
        'might not have permission to perform the task. Verify that the Virtual Machine Management service on the ' +
        'computer is running. If the service is running, try to perform the task again by using Run as Administrator.')
}

function Select-VM {
    param($Cmdlet, $Computer, [string[]] $Name)
    foreach ($one in $Name) {
        $found = @($Computer.VMs | Where-Object { $_.Name -like $one })
        if ($found.Count -eq 0 -and -not [WildcardPattern]::ContainsWildcardCharacters($one)) {
            Write-StandInError $Cmdlet 'InvalidParameter' 'InvalidArgument' (
                "Hyper-V was unable to find a virtual machine with name `"$one`".")
        }
        $found
    }
}

function Get-VMHost {
    [CmdletBinding()]
    param([string[]] $ComputerName, [pscredential[]] $Credential)
    $computer = Enter-StandIn $PSCmdlet "$ComputerName"
    [pscustomobject]@{
        PSTypeName = 'Microsoft.HyperV.PowerShell.VMHost'; ComputerName = $computer.Name; Name = $computer.Name
    }
}

function Get-VM {
    [CmdletBinding(DefaultParameterSetName = 'Name')]
    param(
        [Parameter(ParameterSetName = 'Name', Position = 0, ValueFromPipeline = $true)] [Alias('VMName')] [string[]] $Name = '*',
        [Parameter(ParameterSetName = 'Id', Position = 0, ValueFromPipeline = $true)] [guid] $Id,
        [Parameter(ParameterSetName = 'ClusterObject', Mandatory = $true)] $ClusterObject,
        [string[]] $ComputerName, [pscredential[]] $Credential)
    process {
        $computer = Enter-StandIn $PSCmdlet "$ComputerName"
        if ($PSCmdlet.ParameterSetName -eq 'Id') {
            $found = @($computer.VMs | Where-Object { $_.Id -eq $Id })
            if ($found.Count -eq 0) {
                Write-StandInError $PSCmdlet 'InvalidParameter' 'InvalidArgument' (
                    "Hyper-V was unable to find a virtual machine with id `"$Id`".")
            }
        } else { $found = @(Select-VM $PSCmdlet $computer $Name) }
        foreach ($vm in $found) { New-VMObject $computer $vm }
    }
}

function Set-VM {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Name')]
    param(
        [Parameter(ParameterSetName = 'Name', Mandatory = $true, Position = 0)] [Alias('VMName')] [string[]] $Name,
        [Parameter(ParameterSetName = 'VMObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VirtualMachine')] $VM,
        [Parameter(ParameterSetName = 'Name')] [string[]] $ComputerName,
        [Parameter(ParameterSetName = 'Name')] [pscredential[]] $Credential,
        [string] $Notes, [string] $NewVMName, [switch] $Passthru)
    $at = if ($VM) { $VM.ComputerName } else { "$ComputerName" }
    $what = if ($VM) { $VM.Name } else { $Name }
    if (-not $PSCmdlet.ShouldProcess("$what", 'Set-VM')) { return }
    $computer = Enter-StandIn $PSCmdlet $at -Changes -Text "$what notes"
    $kept = if ($VM) { @(Find-VM $computer $VM) } else { @(Select-VM $PSCmdlet $computer $Name) }
    foreach ($one in $kept) { if ($PSBoundParameters.ContainsKey('Notes')) { $one.Notes = $Notes } }
}

function Get-VMNetworkAdapter {
    [CmdletBinding(DefaultParameterSetName = 'VMName')]
    param(
        [Parameter(ParameterSetName = 'VMName', Mandatory = $true, Position = 0)] [string[]] $VMName,
        [Parameter(ParameterSetName = 'VMObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VirtualMachine')] $VM,
        [Parameter(ParameterSetName = 'ManagementOS', Mandatory = $true)] [switch] $ManagementOS,
        [Parameter(ParameterSetName = 'All', Mandatory = $true)] [switch] $All,
        [Parameter(ParameterSetName = 'ManagementOS')] [string] $SwitchName,
        [Parameter(ParameterSetName = 'VMName')] [Parameter(ParameterSetName = 'VMObject')]
        [Parameter(ParameterSetName = 'ManagementOS')] [Alias('VMNetworkAdapterName')] [string] $Name = '*',
        [Parameter(ParameterSetName = 'VMName')] [Parameter(ParameterSetName = 'ManagementOS')]
        [Parameter(ParameterSetName = 'All')] [string[]] $ComputerName,
        [Parameter(ParameterSetName = 'VMName')] [Parameter(ParameterSetName = 'ManagementOS')]
        [Parameter(ParameterSetName = 'All')] [pscredential[]] $Credential)
    process {
        $at = if ($VM) { $VM.ComputerName } else { "$ComputerName" }
        $computer = Enter-StandIn $PSCmdlet $at
        $machines = switch ($PSCmdlet.ParameterSetName) {
            'VMName' { Select-VM $PSCmdlet $computer $VMName }
            'VMObject' { Find-VM $computer $VM }
            'All' { $computer.VMs }
        }
        foreach ($one in @($machines)) {
            foreach ($adapter in $one.Adapters) {
                if ($adapter.Name -like $Name) { New-AdapterObject $computer $one $adapter }
            }
        }
    }
}

function Add-VMNetworkAdapter {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'VMName')]
    param(
        [Parameter(ParameterSetName = 'VMName', Mandatory = $true, Position = 0)] [string[]] $VMName,
        [Parameter(ParameterSetName = 'VMObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VirtualMachine')] $VM,
        [Parameter(ParameterSetName = 'VMName')] [string[]] $ComputerName,
        [Parameter(ParameterSetName = 'VMName')] [pscredential[]] $Credential,
        [string] $SwitchName, [Alias('VMNetworkAdapterName')] [string] $Name = 'Network Adapter',
        [switch] $DynamicMacAddress, [string] $StaticMacAddress, [switch] $Passthru)
    $at = if ($VM) { $VM.ComputerName } else { "$ComputerName" }
    if (-not $PSCmdlet.ShouldProcess($Name, 'Add-VMNetworkAdapter')) { return }
    $computer = Enter-StandIn $PSCmdlet $at -Changes -Text $Name
    if ($SwitchName -and -not @($computer.Switches | Where-Object { $_.Name -eq $SwitchName })) {
        Write-StandInError $PSCmdlet 'InvalidParameter' 'InvalidArgument' (
            "Hyper-V was unable to find a virtual switch with name `"$SwitchName`".")
        return
    }
    $kept = if ($VM) { @(Find-VM $computer $VM) } else { @(Select-VM $PSCmdlet $computer $VMName) }
    foreach ($one in $kept) { $null = Add-StandInAdapter $one $Name $SwitchName }
}

function Remove-VMNetworkAdapter {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'VMName')]
    param(
        [Parameter(ParameterSetName = 'VMName', Mandatory = $true, Position = 0)] [string[]] $VMName,
        [Parameter(ParameterSetName = 'ResourceObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMNetworkAdapter')] $VMNetworkAdapter,
        [Parameter(ParameterSetName = 'VMName')] [string] $Name = '*',
        [Parameter(ParameterSetName = 'VMName')] [string[]] $ComputerName,
        [Parameter(ParameterSetName = 'VMName')] [pscredential[]] $Credential, [switch] $Passthru)
    $at = if ($VMNetworkAdapter) { $VMNetworkAdapter.ComputerName } else { "$ComputerName" }
    if (-not $PSCmdlet.ShouldProcess($at, 'Remove-VMNetworkAdapter')) { return }
    $computer = Enter-StandIn $PSCmdlet $at -Changes
    $machines = if ($VMNetworkAdapter) { $computer.VMs } else { @(Select-VM $PSCmdlet $computer $VMName) }
    foreach ($vm in $machines) {
        foreach ($adapter in $vm.Adapters.ToArray()) {
            if ($VMNetworkAdapter) { $this = $adapter.Id -eq $VMNetworkAdapter.Id } else { $this = $adapter.Name -like $Name }
            if ($this) { $null = $vm.Adapters.Remove($adapter) }
        }
    }
}

function Set-VMNetworkAdapter {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'VMName')]
    param(
        [Parameter(ParameterSetName = 'VMName', Mandatory = $true, Position = 0)] [string] $VMName,
        [Parameter(ParameterSetName = 'ResourceObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMNetworkAdapter')] $VMNetworkAdapter,
        [Parameter(ParameterSetName = 'VMName')] [string] $Name = '*',
        [Parameter(ParameterSetName = 'VMName')] [string[]] $ComputerName,
        [Parameter(ParameterSetName = 'VMName')] [pscredential[]] $Credential,
        [ValidateSet('None', 'Destination', 'Source')] [string] $PortMirroring,
        [ValidateRange(0, 100)] [int] $IovWeight, [switch] $Passthru)
    process {
        $at = if ($VMNetworkAdapter) { $VMNetworkAdapter.ComputerName } else { "$ComputerName" }
        if (-not $PSCmdlet.ShouldProcess($at, 'Set-VMNetworkAdapter')) { return }
        $computer = Enter-StandIn $PSCmdlet $at -Changes -Text "PortMirroring $PortMirroring"
        $adapters = if ($VMNetworkAdapter) { @(Find-Adapter $PSCmdlet $computer $VMNetworkAdapter) } else {
            @(Select-VM $PSCmdlet $computer $VMName | ForEach-Object { $_.Adapters } | Where-Object { $_.Name -like $Name })
        }
        foreach ($adapter in $adapters) {
            if ($PortMirroring) { $adapter.Mode = $PortMirroring }
            if ($PSBoundParameters.ContainsKey('IovWeight')) { $adapter.IovWeight = $IovWeight }
        }
    }
}

function Get-VMNetworkAdapterVlan {
    [CmdletBinding(DefaultParameterSetName = 'VMName')]
    param(
        [Parameter(ParameterSetName = 'VMName', Position = 0)] [string[]] $VMName = '*',
        [Parameter(ParameterSetName = 'ResourceObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMNetworkAdapter')] $VMNetworkAdapter,
        [Parameter(ParameterSetName = 'VMName')] [string] $VMNetworkAdapterName = '*',
        [Parameter(ParameterSetName = 'VMName')] [string[]] $ComputerName)
    $at = if ($VMNetworkAdapter) { $VMNetworkAdapter.ComputerName } else { "$ComputerName" }
    $computer = Enter-StandIn $PSCmdlet $at
    foreach ($vm in $computer.VMs) {
        foreach ($adapter in $vm.Adapters) {
            $this = if ($VMNetworkAdapter) { $adapter.Id -eq $VMNetworkAdapter.Id }
            else { @($VMName | Where-Object { $vm.Name -like $_ }).Count -and $adapter.Name -like $VMNetworkAdapterName }
            if ($this) { (New-AdapterObject $computer $vm $adapter).VlanSetting }
        }
    }
}

function Set-VMNetworkAdapterVlan {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'VMName')]
    param(
        [Parameter(ParameterSetName = 'VMName', Mandatory = $true, Position = 0)] [string[]] $VMName,
        [Parameter(ParameterSetName = 'ResourceObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMNetworkAdapter')] $VMNetworkAdapter,
        [Parameter(ParameterSetName = 'VMName')] [string] $VMNetworkAdapterName = '*',
        [Parameter(ParameterSetName = 'VMName')] [string[]] $ComputerName,
        [Parameter(ParameterSetName = 'VMName')] [pscredential[]] $Credential,
        [Alias('u')] [switch] $Untagged, [Alias('a')] [switch] $Access, [Alias('AccessVlanId')] [int] $VlanId,
        [Alias('t')] [switch] $Trunk, [int] $NativeVlanId, [string] $AllowedVlanIdList, [switch] $Passthru)
    $at = if ($VMNetworkAdapter) { $VMNetworkAdapter.ComputerName } else { "$ComputerName" }
    if (-not $PSCmdlet.ShouldProcess($at, 'Set-VMNetworkAdapterVlan')) { return }
    $computer = Enter-StandIn $PSCmdlet $at -Changes -Text "trunk $AllowedVlanIdList $NativeVlanId"
    if ($Trunk -and -not ($PSBoundParameters.ContainsKey('NativeVlanId') -and $AllowedVlanIdList)) {
        Write-StandInError $PSCmdlet 'InvalidParameter' 'InvalidArgument' (
            'The trunk mode needs both a native VLAN ID and a list of allowed VLAN IDs.')
        return
    }
    $adapters = if ($VMNetworkAdapter) { @(Find-Adapter $PSCmdlet $computer $VMNetworkAdapter) } else {
        @(Select-VM $PSCmdlet $computer $VMName | ForEach-Object { $_.Adapters } |
                Where-Object { $_.Name -like $VMNetworkAdapterName })
    }
    foreach ($adapter in $adapters) {
        $adapter.Vlan = if ($Trunk) {
            @{ OperationMode = 'Trunk'; AccessVlanId = 0; NativeVlanId = $NativeVlanId; Allowed = $AllowedVlanIdList }
        } elseif ($Access) { @{ OperationMode = 'Access'; AccessVlanId = $VlanId; NativeVlanId = 0; Allowed = '' } }
        else { @{ OperationMode = 'Untagged'; AccessVlanId = 0; NativeVlanId = 0; Allowed = '' } }
    }
}
