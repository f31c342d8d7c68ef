function Set-VMirrorSession {
    <#
    .SYNOPSIS
    Makes a mirroring session, or brings one to what is asked: the frames of a VM, or of a whole switch, to a sensor.
    .DESCRIPTION
    Does the recipe that administrators follow by hand, each setting only where it is not so yet:

      the virtual switch, if -NetAdapterName says on which NIC to make it
      the sensor's monitor adapter, if it is missing and -SwitchName says on which switch
      the extension NDIS Capture of the switch: enabled
      VLANs of the monitor adapter: a trunk of all VLANs, so that no tagged frame is lost
      port mirroring of the monitor adapter: Destination
      port mirroring of the source's adapters: Source; or monitoring mode of the external port: 2, with -ExternalPort

    What is set is marked in the notes of the VM or switch, with the value that was there before. A setting that
    somebody else made is never changed: the session is refused, and the reason names it. What can't be mirrored is
    refused, too: SR-IOV, a VM that was never started, another virtual switch, an LBFO team. A second run changes
    nothing; a run that was cut off is finished by the next one.
    .PARAMETER Name
    The session's name.
    .PARAMETER VMName
    The source: name or id of a VM.
    .PARAMETER VMNetworkAdapterName
    The source's network adapter; all of the VM's, if none is named.
    .PARAMETER ExternalPort
    The source is everything that passes the switch's external port.
    .PARAMETER DestinationVMName
    The sensor: names or ids of VMs. In a cluster name the sensor of each node.
    .PARAMETER DestinationAdapterName
    The sensor's monitor adapter.
    .PARAMETER SwitchName
    The virtual switch that the monitor adapter is on. Needed where the adapter or the switch is to be made.
    .PARAMETER NetAdapterName
    The host's NIC on which the switch is to be made, if there is none of that name. It may cut the host off its
    network for a moment.
    .PARAMETER AllowManagementOS
    Whether the host itself may use a switch that is made; true, if not given.
    .PARAMETER AllowedVlanIdList
    VLANs that the monitor adapter carries: 0-4094, if not given.
    .PARAMETER NativeVlanId
    The VLAN whose frames it carries untagged: 0, if not given.
    .PARAMETER ComputerName
    The hosts; this one, if none is named.
    .PARAMETER Cluster
    All nodes of this failover cluster, in parallel; `.` is the cluster that this host is in.
    .PARAMETER Credential
    The account to log on to the hosts with; yours, if none is given.
    .PARAMETER ThrottleLimit
    How many hosts are worked on at one time.
    .INPUTS
    Objects with the properties Name and VMName, for example VMs of Get-VM.
    .OUTPUTS
    VMirror.Session
    .EXAMPLE
    Set-VMirrorSession -Name dc1 -VMName dc1 -DestinationVMName SENSOR

    Mirrors all adapters of dc1 to the adapter Monitor of the VM SENSOR on this host.
    .EXAMPLE
    Get-VM -Name dc* | Set-VMirrorSession -DestinationVMName SENSOR -WhatIf

    Shows what would be done to mirror each VM whose name begins with dc, in a session of the VM's name.
    .EXAMPLE
    Set-VMirrorSession -Name span -ExternalPort -DestinationVMName SENSOR -SwitchName vSwitch_Span -NetAdapterName Ethernet

    Makes the switch vSwitch_Span on the NIC Ethernet and the sensor's adapter on it, where they are missing, and
    mirrors everything that arrives at that NIC.
    .EXAMPLE
    Set-VMirrorSession -Name dc1 -VMName dc1 -DestinationVMName SENSOR-A, SENSOR-B -Cluster hvc1

    Prepares the sensor of each node, and mirrors dc1 on the node that has it.
    .LINK
    about_VMirror
    #>
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'VM')]
    [OutputType('VMirror.Session')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipelineByPropertyName = $true)]
        [string] $Name,
        [Parameter(Mandatory = $true, Position = 1, ParameterSetName = 'VM', ValueFromPipelineByPropertyName = $true)]
        [string] $VMName,
        [Parameter(ParameterSetName = 'VM')]
        [string] $VMNetworkAdapterName = '',
        [Parameter(Mandatory = $true, ParameterSetName = 'ExternalPort')]
        [switch] $ExternalPort,
        [Parameter(Mandatory = $true)]
        [string[]] $DestinationVMName,
        [string] $DestinationAdapterName = 'Monitor',
        [string] $SwitchName = '',
        [string] $NetAdapterName = '',
        [bool] $AllowManagementOS = $true,
        [string] $AllowedVlanIdList = '0-4094',
        [int] $NativeVlanId = 0,
        [string[]] $ComputerName,
        [string] $Cluster,
        [pscredential] $Credential,
        [ValidateRange(1, 64)]
        [int] $ThrottleLimit = 16
    )
    begin { $sessions = New-Object 'System.Collections.Generic.List[object]' }
    process {
        $arguments = @{
            Where = "session $Name"; Name = $Name; VM = $VMName; Adapter = $VMNetworkAdapterName
            ExternalPort = [bool]$ExternalPort; DestinationVM = $DestinationVMName
            DestinationAdapter = $DestinationAdapterName; Switch = $SwitchName; NetAdapter = $NetAdapterName
            AllowManagementOS = $AllowManagementOS; Vlans = $AllowedVlanIdList; NativeVlan = $NativeVlanId
        }
        try {
            $session = New-DesiredSession @arguments
            if (@($sessions | Where-Object { $_.Key -eq $session.Key }).Count -gt 0) {
                throw "session $($Name): it came twice (names of sessions are unique)"
            }
            $sessions.Add($session)
        } catch {
            $record = New-ErrorRecord -Message $_.Exception.Message -Id 'BadSession' -Category 'InvalidArgument' -Target $Name
            $PSCmdlet.WriteError($record)
        }
    }
    end {
        if ($ComputerName -and $Cluster) {
            $text = 'give -ComputerName or -Cluster, not both'
            $PSCmdlet.ThrowTerminatingError((New-ErrorRecord -Message $text -Id 'BadArgument' -Category 'InvalidArgument'))
        }
        if ($sessions.Count -eq 0) { return }
        $nodes = @(Get-TargetNode -ComputerName $ComputerName -Cluster $Cluster -Credential $Credential)
        $keys = @($sessions | ForEach-Object { $_.Key })
        $scope = New-ListScope -Key $keys
        Invoke-Change -Cmdlet $PSCmdlet -Node $nodes -Sessions $sessions.ToArray() -Scope $scope `
            -Alone ($nodes.Count -eq 1 -and -not $Cluster) -ThrottleLimit $ThrottleLimit -Where $Cluster
    }
}
