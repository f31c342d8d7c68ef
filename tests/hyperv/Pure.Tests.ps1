# at least: 67 tests
# The pure parts, by tables: VLANs, marks, conflicts, thumbprints, errors' remedies.
BeforeDiscovery {
    $ranges = @(
        @{ Text = ''; Is = '' }, @{ Text = '0-4094'; Is = '0-4094' }, @{ Text = '7,1-3'; Is = '1-3,7' }
        @{ Text = '1,2,3,5'; Is = '1-3,5' }, @{ Text = '1-3,2-6'; Is = '1-6' }, @{ Text = ' 4 , 5'; Is = '4-5' }
        @{ Text = '10-10'; Is = '10' }, @{ Text = '4094'; Is = '4094' }, @{ Text = '0'; Is = '0' }, @{ Text = '3,3,3'; Is = '3' }
    )
    $noRanges = @('x', '1-', '-1', '4095', '5-4', '1--2', '12345', '1;2' | ForEach-Object { @{ Text = $_ } })
    $covers = @(
        @{ Monitor = 'Untagged'; Source = 'Untagged'; Is = $true }, @{ Monitor = 'Untagged'; Source = 'Access 5'; Is = $false }
        @{ Monitor = 'Access 5'; Source = 'Access 5'; Is = $true }, @{ Monitor = 'Access 5'; Source = 'Untagged'; Is = $false }
        @{ Monitor = 'Access 5'; Source = 'Trunk 5 native 0'; Is = $false }
        @{ Monitor = 'Trunk 0-4094 native 0'; Source = 'Untagged'; Is = $true }
        @{ Monitor = 'Trunk 0-4094 native 0'; Source = 'Trunk 1-4094 native 7'; Is = $true }
        @{ Monitor = 'Trunk 1-9 native 10'; Source = 'Access 10'; Is = $true }
        @{ Monitor = 'Trunk 1-9 native 10'; Source = 'Untagged'; Is = $false }
        @{ Monitor = 'Trunk 1-9 native 10'; Source = 'Trunk 9-11 native 1'; Is = $false }
    )
    $settings = @(  # value, default, was, now (no mark: both empty), wanted; is it free to take?
        @{ Value = 'None'; Was = ''; Now = ''; Want = 'Source'; Free = $true; Why = 'at its default' }
        @{ Value = 'Source'; Was = ''; Now = ''; Want = 'Source'; Free = $true; Why = 'as wanted' }
        @{ Value = 'Destination'; Was = ''; Now = ''; Want = 'Source'; Free = $false; Why = 'foreign' }
        @{ Value = 'Destination'; Was = 'None'; Now = 'Destination'; Want = 'Source'; Free = $true; Why = 'ours' }
        @{ Value = 'Destination'; Was = 'None'; Now = 'Source'; Want = 'Source'; Free = $false; Why = 'ours, changed by somebody' }
        @{ Value = 'Destination'; Was = 'Destination'; Now = 'Destination'; Want = 'Source'; Free = $false; Why = 'used, not ours' }
    )
    $notes = @(
        @{ Note = ''; Text = ''; Marks = 0; Error = $false }
        @{ Note = 'a'; Text = 'a'; Marks = 0; Error = $false }
        @{ Note = '[vmirror] {"v":1,"marks":[]}'; Text = ''; Marks = 0; Error = $false }
        @{ Note = "a`n[vmirror] {`"v`":1,`"marks`":[{`"kind`":`"mode`",`"on`":`"x`",`"was`":`"a`",`"now`":`"b`",`"for`":[`"h/s`"]}]}"
            Text = 'a'; Marks = 1; Error = $false }
        @{ Note = "[vmirror] {`"v`":1,`"marks`":[]}`r`nrest"; Text = 'rest'; Marks = 0; Error = $false }
        @{ Note = "a`r`n[vmirror] {`"v`":1,`"marks`":[]}`r`nrest"; Text = "a`r`nrest"; Marks = 0; Error = $false }
        @{ Note = 'a [vmirror] {}'; Text = 'a [vmirror] {}'; Marks = 0; Error = $false }
        @{ Note = '[vmirror] {"v":1,"marks":'; Text = ''; Marks = 0; Error = $true }
        @{ Note = '[vmirror] {"v":2,"marks":[]}'; Text = ''; Marks = 0; Error = $true }
        @{ Note = '[vmirror] {"v":1,"marks":[{"kind":"mode"}]}'; Text = ''; Marks = 0; Error = $true }
        @{ Note = '[vmirror] '; Text = ''; Marks = 0; Error = $true }
    )
    $remedies = @(
        @{ Text = 'You do not have the required permission to complete this task.'; Says = '*hv1*Hyper-V Administrators*' }
        @{ Text = 'Access is denied.'; Says = '*Hyper-V Administrators*' }
        @{ Text = 'Verify that the Virtual Machine Management service on the computer is running.'; Says = '*service vmms*' }
        @{ Text = "The computer 'hv1' could not be resolved."; Says = '*its name right*' }
        @{ Text = 'The WinRM client cannot process the request.'; Says = '*WinRM open*' }
        @{ Text = 'The RPC server is unavailable.'; Says = '*is the host up*' }
        @{ Text = 'The user name or password is incorrect.'; Says = '*check -Credential*' }
        @{ Text = 'Something else.'; Says = 'hv1: Something else.' }
    )
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    $module = Get-Module VMirror
}

Describe 'Pure' {
    It "writes the VLANs '<Text>' in one way" -ForEach $ranges { & $module { ConvertTo-VlanRange $args[0] } $Text | Should -Be $Is }
    It "refuses the VLANs '<Text>'" -ForEach $noRanges { { & $module { ConvertTo-VlanRange $args[0] } $Text } | Should -Throw }
    It 'carries: <Monitor> of <Source> is <Is>' -ForEach $covers {
        & $module { Test-VlanCovered -Monitor $args[0] -Source $args[1] } $Monitor $Source | Should -Be $Is
    }
    It 'reads and writes the VLAN setting <Text>' -ForEach @(
        @{ Text = 'Untagged'; Object = @{ OperationMode = 'Untagged' } }
        @{ Text = 'Access 10'; Object = @{ OperationMode = 'Access'; AccessVlanId = 10 } }
        @{ Text = 'Trunk 1-3,9 native 4'; Object = @{ OperationMode = 'Trunk'; NativeVlanId = 4; AllowedVlanIdList = @(9, 3, 2, 1) } }
    ) {
        & $module { ConvertTo-VlanText $args[0] } ([pscustomobject]$Object) | Should -Be $Text
        { & $module { ConvertTo-VlanArgument $args[0] } $Text } | Should -Not -Throw
    }
    It 'does not set private VLANs' {
        & $module { ConvertTo-VlanText $args[0] } ([pscustomobject]@{ OperationMode = 'Private' }) | Should -Be 'Private'
        { & $module { ConvertTo-VlanArgument 'Private' } } | Should -Throw '*not supported*'
    }
    It 'is free to take: <Why>, <Free>' -ForEach $settings {
        $setting = [pscustomobject]@{
            Key = 'k'; Holder = 'vm'; HolderId = '1'; HolderName = 'dc1'; Kind = 'mode'; On = 'a'; OnName = 'LAN'; Value = $Value
            Default = 'None'; MarkError = ''; Mark = $(if ($Was) { [pscustomobject]@{ Kind = 'mode'; Was = $Was; Now = $Now } })
        }
        $got = & $module { Get-SettingConflict $args[0] $args[1] } $setting $Want
        ($got -eq '') | Should -Be $Free
    }
    It 'reads notes: <Note>' -ForEach $notes {
        $got = & $module { ConvertFrom-Note $args[0] } $Note
        $got.Text | Should -Be $Text
        $got.Marks.Count | Should -Be $Marks
        ($got.Error -ne '') | Should -Be $Error
    }
    It 'writes notes that it reads, whatever the text is' {
        foreach ($text in '', 'a', "a`nb", "a`r`n", "`n", '   ', '[vmirror]x', '{"v":1}', "tab`tend", ([char]0xe9 + 'u'), 'x' * 5000) {
            $got = & $module {
                $mark = New-Mark -Kind mode -On 'a\b' -Was None -Now Source -For 'h/z', 'h/a', 'h/z'
                ConvertFrom-Note (ConvertTo-Note -Text $args[0] -Mark @($mark))
            } $text
            $got.Text | Should -BeExactly $text
            "$($got.Marks[0].Kind) $($got.Marks[0].On) $($got.Marks[0].Was) $($got.Marks[0].Now) $($got.Marks[0].For)" |
                Should -Be 'mode a\b None Source h/a h/z'
        }
    }
    It 'refuses a mark past its bound' {
        $long = { ConvertTo-Note -Text '' -Mark @(New-Mark -Kind mode -On a -Was b -Now c -For @(1..9000 | ForEach-Object { "h/$_" })) }
        { & $module $long } | Should -Throw '*65536 are allowed*'
    }
    It 'says the remedy of: <Text>' -ForEach $remedies {
        $record = New-Object System.Management.Automation.ErrorRecord (New-Object Exception $Text), 'x', 'NotSpecified', $null
        & $module { Get-NodeErrorText -ComputerName hv1 -ErrorRecord $args[0] } $record | Should -BeLike $Says
    }
    It 'reads the thumbprint <Text>' -ForEach @(
        @{ Text = ''; Is = '' }, @{ Text = 'ab ' * 20; Is = 'AB' * 20 }, @{ Text = 'ab:' * 32; Is = 'AB' * 32 }
    ) {
        & $module { ConvertTo-Thumbprint $args[0] } $Text | Should -Be $Is
    }
    It 'decides about a task: <Is>' -ForEach @(
        @{ There = $null; Is = 'install' }, @{ There = ''; Is = 'refuse' }, @{ There = 'x [vmirror hook 1]'; Is = 'nothing' }
        @{ There = 'y [vmirror hook 2]'; Is = 'replace' }
    ) { & $module { Get-HookDecision -Description $args[0] -Wanted 'x [vmirror hook 1]' } $There | Should -Be $Is }
    It 'changes nothing that it was given when it plans' {
        $null = New-StandInWorld
        $null = New-TestHost
        $state = & $module { Get-HostState -Node @{} }
        $text = $state | ConvertTo-Json -Depth 8
        $session = & $module { New-DesiredSession -Name dc1 -VM dc1 -DestinationVM SENSOR -DestinationAdapter Monitor }
        $one = & $module { New-Plan -State $args[0] -Sessions $args[1] -InScope { $true } } $state $session
        $two = & $module { New-Plan -State $args[0] -Sessions $args[1] -InScope { $true } } $state $session
        $state | ConvertTo-Json -Depth 8 | Should -Be $text
        @($one.Steps.Text) | Should -Be @($two.Steps.Text)
        @($one.Steps).Count | Should -Be 4
    }
}
