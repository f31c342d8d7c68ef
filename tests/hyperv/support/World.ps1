# What the tests share: the module, and hosts of the stand-in world. Dot-sourced in BeforeAll.
Import-Module (Join-Path $PSScriptRoot '../standins/StandIn/StandIn.psm1')
Import-Module (Join-Path $PSScriptRoot '../../../hyperv/VMirror/VMirror.psd1') -Force

# A host with the switch vSwitch, the source VM dc1 and the sensor's VM with its adapter Monitor.
function New-TestHost {
    param([string] $Name = 'hv1', [string] $Sensor = 'SENSOR', [string[]] $Source = @('dc1'))
    $made = Add-StandInHost $Name
    $null = Add-StandInSwitch $made 'vSwitch' -NetAdapter 'Ethernet 2'
    foreach ($one in $Source) {
        $vm = Add-StandInVM $made $one -Notes "first line`r`nsecond line"
        $null = Add-StandInAdapter $vm 'Network Adapter' 'vSwitch'
    }
    if ($Sensor) {
        $vm = Add-StandInVM $made $Sensor
        $null = Add-StandInAdapter $vm 'Management' 'vSwitch'
        $null = Add-StandInAdapter $vm 'Monitor' 'vSwitch'
    }
    $made
}

function Get-TestVM { param($Of, [string] $Name) @($Of.VMs | Where-Object { $_.Name -eq $Name })[0] }
function Get-TestAdapter {
    param($Of, [string] $VM, [string] $Name)
    @((Get-TestVM $Of $VM).Adapters | Where-Object { $_.Name -eq $Name })[0]
}
function Get-ChangeCount { @(Get-StandInLog | Where-Object { $_.Changes }).Count }

# A cluster hvc1 of nodes hv1..hvN, each with a sensor of its own; dcI is on node I.
function New-TestCluster {
    param([int] $Nodes)
    $world = New-StandInWorld
    $world.Cluster = 'hvc1'
    for ($i = 1; $i -le $Nodes; $i++) { $null = New-TestHost "hv$i" "SENSOR$i" @("dc$i") }
    $world
}
