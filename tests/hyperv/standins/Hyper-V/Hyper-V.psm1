# Stand-in for Microsoft's module Hyper-V: the commands that VMirror calls, with the parameter sets of its
# reference (docs of windows-powershell-docs, 2016 to 2025) and its rules, over the state of StandIn.psm1.
# Parameters of CIM types are left out: these types can't be made on Linux.
Set-StrictMode -Version 3.0
Import-Module (Join-Path $PSScriptRoot '../StandIn/StandIn.psm1')
. (Join-Path $PSScriptRoot 'Machine.ps1')
. (Join-Path $PSScriptRoot 'Switch.ps1')
. (Join-Path $PSScriptRoot 'Feature.ps1')
