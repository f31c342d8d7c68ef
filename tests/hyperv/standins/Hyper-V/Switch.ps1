# Virtual switches and their extensions.

$script:Extensions = [ordered]@{  # Ids are fixed, names are translated: a German host's.
    'EA24CD6C-D17A-4348-9190-09F0D5BE83DD' = 'Microsoft-NDIS-Aufzeichnung'
    'E7C3B2F0-F3C5-48DF-AF2B-10FED6D72E7A' = 'Microsoft Windows Filtering Platform'
}

function New-SwitchObject {
    param($Computer, $Switch)
    [pscustomobject]@{
        PSTypeName = 'Microsoft.HyperV.PowerShell.VMSwitch'
        Name = $Switch.Name; Id = $Switch.Id; SwitchType = $Switch.SwitchType; Notes = $Switch.Notes
        NetAdapterInterfaceDescription = $Switch.NetAdapterInterfaceDescription; IovEnabled = $Switch.IovEnabled
        SoftwareRscEnabled = $Switch.SoftwareRsc; AllowManagementOS = $Switch.AllowManagementOS
        ComputerName = $Computer.Name
    }
}

function Find-Switch {
    param($Cmdlet, $Computer, [string] $Name, $Object)
    $found = @($Computer.Switches | Where-Object { if ($Object) { $_.Id -eq $Object.Id } else { $_.Name -eq $Name } })
    if ($found.Count) { return $found[0] }
    Write-StandInError $Cmdlet 'InvalidParameter' 'InvalidArgument' (
        "Hyper-V was unable to find a virtual switch with name `"$Name`".")
}

function Get-VMSwitch {
    [CmdletBinding(DefaultParameterSetName = 'Name')]
    param(
        [Parameter(ParameterSetName = 'Name', Position = 0)] [Alias('SwitchName')] [string] $Name = '*',
        [Parameter(ParameterSetName = 'Id', Position = 0)] [Alias('SwitchId')] [guid[]] $Id,
        [string[]] $SwitchType, [string[]] $ComputerName, [pscredential[]] $Credential)
    $computer = Enter-StandIn $PSCmdlet "$ComputerName"
    $found = @($computer.Switches | Where-Object { if ($Id) { $Id -contains $_.Id } else { $_.Name -like $Name } })
    if ($found.Count -eq 0 -and ($Id -or -not [WildcardPattern]::ContainsWildcardCharacters($Name))) {
        Write-StandInError $PSCmdlet 'InvalidParameter' 'InvalidArgument' (
            "Hyper-V was unable to find a virtual switch with name `"$Name`".")
    }
    foreach ($one in $found) { New-SwitchObject $computer $one }
}

function New-VMSwitch {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'NetAdapterName')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [Alias('SwitchName')] [string] $Name,
        [Parameter(ParameterSetName = 'NetAdapterName', Mandatory = $true)] [Alias('InterfaceAlias')] [string[]] $NetAdapterName,
        [Parameter(ParameterSetName = 'SwitchType', Mandatory = $true)] [ValidateSet('Internal', 'Private')] [string] $SwitchType,
        [Parameter(ParameterSetName = 'NetAdapterName')] [bool] $AllowManagementOS,
        [string] $Notes, [bool] $EnableIov, [bool] $EnableEmbeddedTeaming, [string[]] $ComputerName,
        [pscredential[]] $Credential)
    if (-not $PSCmdlet.ShouldProcess($Name, 'New-VMSwitch')) { return }
    $computer = Enter-StandIn $PSCmdlet "$ComputerName" -Changes -Text $Name
    if (@($computer.Switches | Where-Object { $_.NetAdapter -and $NetAdapterName -contains $_.NetAdapter })) {
        Write-StandInError $PSCmdlet 'InvalidParameter' 'InvalidArgument' (
            "Failed while adding virtual Ethernet switch connections. External Ethernet adapter '$NetAdapterName' is " +
            'already bound to the Microsoft Virtual Switch protocol.')
        return
    }
    $type = if ($SwitchType) { $SwitchType } else { 'External' }
    $made = Add-StandInSwitch $computer $Name $type $Notes -NetAdapter "$NetAdapterName"
    $made.AllowManagementOS = $AllowManagementOS
    New-SwitchObject $computer $made
}

function Set-VMSwitch {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'SwitchName_SwitchType')]
    param(
        [Parameter(ParameterSetName = 'SwitchName_SwitchType', Mandatory = $true, Position = 0)] [Alias('SwitchName')]
        [string[]] $Name,
        [Parameter(ParameterSetName = 'SwitchObject_SwitchType', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitch')] $VMSwitch,
        [string] $Notes, [bool] $AllowManagementOS, [string[]] $ComputerName, [pscredential[]] $Credential,
        [switch] $Passthru)
    $at = if ($VMSwitch) { $VMSwitch.ComputerName } else { "$ComputerName" }
    if (-not $PSCmdlet.ShouldProcess($at, 'Set-VMSwitch')) { return }
    $computer = Enter-StandIn $PSCmdlet $at -Changes -Text 'notes'
    $kept = Find-Switch $PSCmdlet $computer "$Name" $VMSwitch
    if ($kept -and $PSBoundParameters.ContainsKey('Notes')) { $kept.Notes = $Notes }
}

function Remove-VMSwitch {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High', DefaultParameterSetName = 'Name')]
    param(
        [Parameter(ParameterSetName = 'Name', Mandatory = $true, Position = 0)] [Alias('SwitchName')] [string[]] $Name,
        [Parameter(ParameterSetName = 'SwitchObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitch')] $VMSwitch,
        [switch] $Force, [string[]] $ComputerName, [pscredential[]] $Credential)
    $at = if ($VMSwitch) { $VMSwitch.ComputerName } else { "$ComputerName" }
    if (-not ($Force -or $PSCmdlet.ShouldProcess($at, 'Remove-VMSwitch'))) { return }
    $computer = Enter-StandIn $PSCmdlet $at -Changes
    $kept = Find-Switch $PSCmdlet $computer "$Name" $VMSwitch
    if (-not $kept) { return }
    $null = $computer.Switches.Remove($kept)
    foreach ($vm in $computer.VMs) { foreach ($adapter in $vm.Adapters) { if ($adapter.Switch -eq $kept.Name) { $adapter.Switch = '' } } }
}

function New-ExtensionObject {
    param($Computer, $Switch, [string] $Id)
    [pscustomobject]@{
        PSTypeName = 'Microsoft.HyperV.PowerShell.VMSwitchExtension'
        Id = $Id; Name = $script:Extensions[$Id]; ExtensionType = 'Capture'; SwitchName = $Switch.Name; SwitchId = $Switch.Id
        Enabled = $(if ($Id -like 'EA24*') { $Switch.Capture } else { $true }); Running = $true; ComputerName = $Computer.Name
    }
}

function Get-VMSwitchExtension {
    [CmdletBinding(DefaultParameterSetName = 'SwitchName')]
    param(
        [Parameter(ParameterSetName = 'SwitchName', Mandatory = $true, Position = 0)] [Alias('SwitchName')]
        [string[]] $VMSwitchName,
        [Parameter(ParameterSetName = 'SwitchObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitch')] $VMSwitch,
        [string[]] $Name = '*', [Parameter(ParameterSetName = 'SwitchName')] [string[]] $ComputerName)
    process {
        $at = if ($VMSwitch) { $VMSwitch.ComputerName } else { "$ComputerName" }
        $computer = Enter-StandIn $PSCmdlet $at
        $kept = Find-Switch $PSCmdlet $computer "$VMSwitchName" $VMSwitch
        if (-not $kept) { return }
        foreach ($id in $script:Extensions.Keys) {
            if (@($Name | Where-Object { $script:Extensions[$id] -like $_ })) { New-ExtensionObject $computer $kept $id }
        }
    }
}

# These two have neither -WhatIf nor -Confirm.
function Set-Extension {
    param($Cmdlet, [string] $Name, $Switch, [string] $SwitchName, $Extension, [string] $At, [bool] $To)
    if ($Extension) { $At = $Extension.ComputerName }
    if ($Switch) { $At = $Switch.ComputerName }
    $computer = Enter-StandIn $Cmdlet $At -Changes -Text "capture $To"
    if ($Extension) {
        $kept = @($computer.Switches | Where-Object { $_.Id -eq $Extension.SwitchId })[0]
        $id = $Extension.Id
    } else {
        $kept = Find-Switch $Cmdlet $computer $SwitchName $Switch
        $id = @($script:Extensions.Keys | Where-Object { $script:Extensions[$_] -eq $Name })[0]
        if (-not $id) {
            Write-StandInError $Cmdlet 'InvalidParameter' 'InvalidArgument' (
                "Hyper-V was unable to find a virtual switch extension with name `"$Name`".")
            return
        }
    }
    if ($id -like 'EA24*') { $kept.Capture = $To }
    New-ExtensionObject $computer $kept $id
}

function Enable-VMSwitchExtension {
    [CmdletBinding(DefaultParameterSetName = 'ExtensionNameSwitchName')]
    param(
        [Parameter(ParameterSetName = 'ExtensionNameSwitchName', Mandatory = $true, Position = 0)]
        [Parameter(ParameterSetName = 'ExtensionNameSwitchObject', Mandatory = $true, Position = 0)] [string] $Name,
        [Parameter(ParameterSetName = 'ExtensionNameSwitchName', Mandatory = $true, Position = 1)] [Alias('SwitchName')]
        [string] $VMSwitchName,
        [Parameter(ParameterSetName = 'ExtensionNameSwitchObject', Mandatory = $true, Position = 1)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitch')] $VMSwitch,
        [Parameter(ParameterSetName = 'ExtensionObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitchExtension')] $VMSwitchExtension,
        [Parameter(ParameterSetName = 'ExtensionNameSwitchName')] [string] $ComputerName)
    Set-Extension $PSCmdlet $Name $VMSwitch $VMSwitchName $VMSwitchExtension "$ComputerName" $true
}

function Disable-VMSwitchExtension {
    [CmdletBinding(DefaultParameterSetName = 'ExtensionNameSwitchName')]
    param(
        [Parameter(ParameterSetName = 'ExtensionNameSwitchName', Mandatory = $true, Position = 0)]
        [Parameter(ParameterSetName = 'ExtensionNameSwitchObject', Mandatory = $true, Position = 0)] [string] $Name,
        [Parameter(ParameterSetName = 'ExtensionNameSwitchName', Mandatory = $true, Position = 1)] [Alias('SwitchName')]
        [string] $VMSwitchName,
        [Parameter(ParameterSetName = 'ExtensionNameSwitchObject', Mandatory = $true, Position = 1)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitch')] $VMSwitch,
        [Parameter(ParameterSetName = 'ExtensionObject', Mandatory = $true, Position = 0, ValueFromPipeline = $true)]
        [PSTypeName('Microsoft.HyperV.PowerShell.VMSwitchExtension')] $VMSwitchExtension,
        [Parameter(ParameterSetName = 'ExtensionNameSwitchName')] [string] $ComputerName)
    Set-Extension $PSCmdlet $Name $VMSwitch $VMSwitchName $VMSwitchExtension "$ComputerName" $false
}
