# at least: 60 tests
# PowerShell's conventions: names, help, -WhatIf; no dead code.
BeforeDiscovery {
    $root = Join-Path $PSScriptRoot '../../hyperv/VMirror'
    $manifest = Import-PowerShellDataFile (Join-Path $root 'VMirror.psd1')
    $changing = 'Set-VMirrorSession', 'Remove-VMirrorSession', 'Sync-VMirror', 'Install-VMirrorHook', 'Uninstall-VMirrorHook',
    'Set-VMirrorAffinity', 'Remove-VMirrorAffinity'
    $commands = @($manifest.FunctionsToExport | ForEach-Object { @{ Name = $_; Changes = $changing -contains $_ } })
    $files = @(Get-ChildItem -Path $root -Recurse -Include *.ps1, *.psm1 | ForEach-Object { @{ Name = $_.Name; File = $_.FullName } })
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    $root = Join-Path $PSScriptRoot '../../hyperv/VMirror'
    $common = [System.Management.Automation.PSCmdlet]::CommonParameters + [System.Management.Automation.PSCmdlet]::OptionalCommonParameters
    function Get-Tree { param([string] $Text) [System.Management.Automation.Language.Parser]::ParseInput($Text, [ref]$null, [ref]$null) }
    # All nodes of a tree by their kinds: one walk, which is what takes time.
    function Group-Node { param($Tree)
        $kinds = @{ CommandAst = @(); VariableExpressionAst = @(); CatchClauseAst = @(); FunctionDefinitionAst = @() }
        foreach ($node in $Tree.FindAll({ $true }, $true)) {
            $kind = $node.GetType().Name
            if ($kinds.ContainsKey($kind)) { $kinds[$kind] += $node }
        }
        $kinds
    }
    $verbs = @{}
    foreach ($one in Get-Verb) { $verbs[$one.Verb] = $true }
    $aliases = @{}
    foreach ($one in Get-Alias) { $aliases[$one.Name] = $true }
    $text = @(Get-ChildItem -Path $root -Recurse -Include *.ps1, *.psm1 |
            ForEach-Object { Get-Content -LiteralPath $_.FullName -Raw }) -join "`n"
}

Describe 'Convention' {
    It 'exports what the manifest says, one file each' {
        $manifest = Test-ModuleManifest (Join-Path $root 'VMirror.psd1')
        $manifest.PowerShellVersion | Should -Be '5.1'
        $manifest.CompatiblePSEditions | Should -Be @('Desktop', 'Core')
        $public = @(Get-ChildItem (Join-Path $root 'Public') | ForEach-Object { $_.BaseName } | Sort-Object)
        @($manifest.ExportedFunctions.Keys | Sort-Object) | Should -Be $public
        @((Get-Module VMirror).ExportedFunctions.Keys | Sort-Object) | Should -Be $public
        @((Get-Module VMirror).ExportedVariables.Keys).Count | Should -Be 0
    }
    It '<Name>: an approved verb, a singular noun of ours' -ForEach $commands {
        $verb, $noun = $Name -split '-'
        $verbs.ContainsKey($verb) | Should -BeTrue
        $noun | Should -Match '^VMirror'
        $noun | Should -Not -Match 's$'
    }
    It '<Name>: help for all of it' -ForEach $commands {
        $help = Get-Help $Name -Full
        $help.Synopsis | Should -Match '\.$'
        "$($help.Description.Text)".Length | Should -BeGreaterThan 60
        @($help.examples.example).Count | Should -BeGreaterThan 1
        foreach ($example in $help.examples.example) {
            "$($example.remarks.Text)".Trim() | Should -Not -BeNullOrEmpty
            # What an example calls must be there, with these parameters.
            foreach ($call in (Group-Node (Get-Tree $example.code)).CommandAst) {
                $command = Get-Command $call.GetCommandName() -ErrorAction SilentlyContinue
                $command | Should -Not -BeNullOrEmpty -Because $example.code
                foreach ($element in $call.CommandElements) {
                    if ($element -is [System.Management.Automation.Language.CommandParameterAst] -and $command.CommandType -eq 'Function') {
                        $command.Parameters.Keys | Should -Contain $element.ParameterName -Because $example.code
                    }
                }
            }
        }
        foreach ($parameter in (Get-Command $Name).Parameters.Keys | Where-Object { $common -notcontains $_ }) {
            $about = $help.parameters.parameter | Where-Object { $_.name -eq $parameter }
            "$($about.description.Text)".Length | Should -BeGreaterThan 9 -Because "-$parameter"
        }
        (Get-Command $Name).OutputType.Count | Should -BeGreaterThan 0
    }
    It '<Name>: -WhatIf and -Confirm where it changes something, -Cluster, the pipeline' -ForEach $commands {
        $parameters = (Get-Command $Name).Parameters
        $parameters.ContainsKey('WhatIf') | Should -Be $Changes
        $parameters.ContainsKey('Confirm') | Should -Be $Changes
        foreach ($needed in 'Cluster', 'ComputerName', 'Credential') { $parameters.Keys | Should -Contain $needed }
        @($parameters.Values | ForEach-Object { $_.Attributes } | Where-Object {
                $_ -is [Parameter] -and ($_.ValueFromPipeline -or $_.ValueFromPipelineByPropertyName) }).Count | Should -BeGreaterThan 0
    }
    It '<Name>: no alias, nothing global, nothing printed past the pipeline' -ForEach $files {
        $nodes = Group-Node (Get-Tree (Get-Content -LiteralPath $File -Raw))
        $called = @($nodes.CommandAst | ForEach-Object { $_.GetCommandName() } | Where-Object { $_ } | Select-Object -Unique)
        @($called | Where-Object { $aliases.ContainsKey($_) }) | Should -BeNullOrEmpty
        @($called | Where-Object { $_ -in 'Write-Host', 'Invoke-Expression' }) | Should -BeNullOrEmpty
        @($nodes.VariableExpressionAst | Where-Object { $_.VariablePath.IsGlobal }) | Should -BeNullOrEmpty
        # An error is not passed over.
        @($nodes.CatchClauseAst | Where-Object { $_.Body.Statements.Count -eq 0 }) | Should -BeNullOrEmpty
        @($nodes.FunctionDefinitionAst | Where-Object { -not $verbs.ContainsKey(($_.Name -split '-')[0]) }) | Should -BeNullOrEmpty
    }
    It 'has no function that nobody calls' {
        foreach ($function in (Group-Node (Get-Tree $text)).FunctionDefinitionAst) {
            if ($function.Name -like '*-VMirror*') { continue }
            [regex]::Matches($text, "\b$($function.Name)\b").Count | Should -BeGreaterThan 1 -Because $function.Name
        }
    }
    It 'formats types that there are' {
        $format = [xml](Get-Content -Raw (Join-Path $root 'VMirror.Format.ps1xml'))
        foreach ($view in $format.Configuration.ViewDefinitions.View) {
            $text | Should -Match "-Type '$($view.Name -replace '^VMirror\.')'"
        }
    }
    It 'shows sessions as a table' {
        $null = New-StandInWorld
        $null = New-TestHost
        $text = Set-VMirrorSession -Name dc1 -VMName dc1 -DestinationVMName SENSOR | Out-String -Width 200
        $text | Should -Match 'Name +Host +State +Source +Destination +Reason'
        $text | Should -Match 'dc1 +hv1 +ready +dc1/Network Adapter +SENSOR/Monitor'
    }
    It 'has an about topic that names every command' {
        $about = Get-Content -Raw (Join-Path $root 'en-US/about_VMirror.help.txt')
        $guide = Get-Content -Raw (Join-Path $PSScriptRoot '../../docs/hyperv.md')
        foreach ($name in (Get-Module VMirror).ExportedFunctions.Keys) {
            $about.Contains($name) | Should -BeTrue -Because "about_VMirror and $name"
            $guide.Contains($name) | Should -BeTrue -Because "docs/hyperv.md and $name"
        }
    }
    It 'loads without Hyper-V and says what to install' {
        # A runspace that finds no stand-ins.
        $path = $env:PSModulePath
        try {
            $env:PSModulePath = (Join-Path $TestDrive none)
            $shell = [powershell]::Create()
            $null = $shell.AddScript('param($m) Import-Module $m; Get-VMirrorHost').AddArgument((Join-Path $root 'VMirror.psd1'))
            $null = $shell.Invoke()
            "$($shell.Streams.Error)" | Should -BeLike '*module Hyper-V is not installed*Install-WindowsFeature*'
            $shell.Dispose()
        } finally { $env:PSModulePath = $path }
    }
}
